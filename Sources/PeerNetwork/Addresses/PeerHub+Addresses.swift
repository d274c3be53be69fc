import Cryptography
import Dispatch
import Primitives

/// The address book: what is learnt and told, whom to dial, and the file.
extension PeerHub {
    // MARK: Asking and telling

    /// Whether to ask the peer, which was connected just now, for addresses. Followers that came by themselves are not
    /// asked: they know no more than the masternodes.
    func asksFresh(_ identity: PeerIdentity) -> Bool {
        guard identity.dialled || identity.consensusKey != nil else { return false }
        return state.withLock { state in
            state.book.count < state.admitted.count && state.addressRequests.takeIfThere(now: Self.now)
        }
    }

    /// Asks a few peers, drawn afresh each time.
    func askForAddresses() {
        let links = state.withLock { state in
            state.registry.entries.filter { $0.identity.dialled || $0.identity.consensusKey != nil }.map(\.link)
        }
        for link in links.shuffled().prefix(max(0, limits.addressPeers)) { link.askForAddresses() }
    }

    /// What to answer whoever asks; nil while too many do.
    func addressAnswer() -> AddressAnswer? {
        state.withLock { state in
            guard state.addressAnswers.takeIfThere(now: Self.now) else { return nil }
            var generator = SystemRandomNumberGenerator()
            return state.book.answer(using: &generator)
        }
    }

    /// Checks what the peer answered, and takes what is genuine and new. Each answer was asked for, which bounds both
    /// what waits here and the signatures to check.
    func learn(_ answer: AddressAnswer, from identity: PeerIdentity) {
        addressQueue.async { [self] in
            var isNew = false
            for address in answer.addresses {
                let isWanted = state.withLock { $0.admitted.contains(address.consensusKey) && $0.book.wants(address) }
                guard isWanted else { continue }
                // Whoever passes addresses on has checked them.
                guard address.isGenuine(genesis: genesisHash) else {
                    offend(.forged, by: identity.offender)
                    break
                }
                let wasAdded = state.withLock { state in
                    state.admitted.contains(address.consensusKey) && state.book.add(address)
                }
                isNew = isNew || wasAdded
            }
            if isNew { bookChanged() }
        }
    }

    // MARK: Dialling

    /// Whom to dial now.
    func dueDials() -> [PeerAddress] {
        let (now, banTime) = (Self.now, clock())
        return state.withLock { state in
            var connected = 0
            let candidates = state.dialOrder.compactMap { key -> DialPlan.Candidate? in
                guard state.registry.link(PeerId(key)) == nil else {
                    connected += 1
                    return nil
                }
                guard state.scores.ban(of: .masternode(key), now: banTime) == nil else { return nil }
                let targets = state.book.targets(of: key).filter { !configuredPlaces.contains($0.endpoint) }
                return DialPlan.Candidate(key: key, targets: targets)
            }
            let places = state.isMasternode ? Int.max : limits.followedMasternodes - connected
            return state.dials.due(candidates, places: places, now: now)
        }
    }

    /// A dial of ``dueDials()`` failed, or its connection ended.
    func ended(_ target: PeerAddress, wasEstablished: Bool) {
        guard let key = target.consensusKey else { return }
        state.withLock { state in
            state.dials.ended(key, wasEstablished: wasEstablished, now: Self.now)
            if !wasEstablished, state.registry.link(PeerId(key)) == nil { state.book.failed(target) }
            if !state.admitted.contains(key) { state.dials.keep(only: state.admitted) }
        }
    }

    // MARK: The file

    /// Takes what the file holds of masternodes that are admitted.
    func readAddressBook() async {
        guard let file = addressBookFile else { return }
        await withCheckedContinuation { continuation in
            addressQueue.async { [self] in
                read(file)
                continuation.resume()
            }
        }
    }

    private func read(_ file: AddressBookFile) {
        do throws(AddressBookFile.Failure) {
            let found = try file.read()
            var refused = 0
            for (address, isConfirmed) in found {
                guard state.withLock({ $0.admitted.contains(address.consensusKey) && $0.book.wants(address) }) else {
                    continue
                }
                guard address.isGenuine(genesis: genesisHash) else {
                    refused += 1
                    continue
                }
                state.withLock { state in
                    _ = isConfirmed ? state.book.confirm(address) : state.book.add(address)
                }
            }
            state.withLock { $0.findNetworks(configuredPlaces) }
            if refused > 0 { logger.warning("the address book has \(refused) addresses that nobody endorsed") }
        } catch {
            logger.warning("\(error); going on without it")
        }
    }

    /// Has the file written soon, once for all changes till then.
    func bookChanged() {
        state.withLock { $0.findNetworks(configuredPlaces) }
        guard addressBookFile != nil else { return }
        let isFirst = state.withLock { state in
            defer { state.isBookWritePending = true }
            return !state.isBookWritePending
        }
        guard isFirst else { return }
        let wait = max(0, limits.bookWriteMs)
        addressQueue.asyncAfter(deadline: .now() + .milliseconds(Int(clamping: wait))) { [weak self] in
            self?.writeAddressBook()
        }
    }

    /// Writes what is not in the file yet.
    func flushAddressBook() async {
        await withCheckedContinuation { continuation in
            addressQueue.async { [self] in
                writeAddressBook()
                continuation.resume()
            }
        }
    }

    private func writeAddressBook() {
        guard let file = addressBookFile else { return }
        let entries = state.withLock { state -> [AddressBook.Entry]? in
            defer { state.isBookWritePending = false }
            return state.isBookWritePending ? state.book.all : nil
        }
        guard let entries else { return }
        do { try file.write(entries) } catch { logger.warning("\(error)") }
    }
}
