/// # Consensus
///
/// Simplex (B. Chan and R. Pass, "Simplex Consensus: A Simple and Fast Consensus Protocol", TCC 2023) as a pure state
/// machine, ``Simplex``: `step(Input, now) -> [Effect]`. It sees block digests, never blocks, and has no clock, no
/// input or output and no randomness: the same inputs give the same effects. One machine runs one epoch, with a fixed
/// set. This comment states the whole protocol; the rules' numbers stand at the code that does them.
///
/// ## Terms
///
/// n masternodes, of which f = floor((n - 1) / 3) may do anything; a quorum is q = n - f (2f + 1 would be unsafe at
/// n = 5). Views count up from 1, each with one leader; view 0 is the block on which the epoch starts. delta is what a
/// node's timers count in: it adapts to the network around ``ConsensusConfiguration/networkDelayMs`` of the genesis.
///
/// A *proposal* is `{epoch, view, parentView, parentDigest, digest}`. A masternode votes `notarize(proposal)`,
/// `nullify(epoch, view)` or `finalize(epoch, view, digest)`, each kind under a signing domain of its own. Votes of q
/// distinct masternodes on one subject are a *certificate*: a Notarization, a Nullification or a Finalization.
/// The leader's notarize vote is its proposal. Bodies of blocks travel apart.
///
/// ## Rules
///
/// 1. *Enter a view*, upwards only. The leader timer (2 delta) and the view timer (3 delta) run from the entry where
///    something waits to be ordered (``Input/workPending(_:)``); else from when the heartbeat is due, a fixed time
///    after the last notarised or final block moved the view; or from when others are seen at work in the view: its
///    leader's proposal, or nullify votes of more than f. So an idle network is silent. A proposal stops the leader
///    timer.
/// 2. *Propose*, when leading the current view and having sent neither notarize nor nullify in it. The parent is the
///    highest notarised view below such that every view between is nullified; the last final block counts as
///    notarised. Certificates that are missing are fetched. The application's answer is journalled as a notarize vote,
///    then broadcast.
/// 3. *Vote notarize*, at most once a view, never after nullify in it, in the current view only: for the leader's
///    first proposal, if its parent is notarised, all views between are nullified, lastFinalized <= parentView, and
///    the application finds the body valid on that parent and durable here. Missing certificates are fetched, first
///    from the leader; missing data means wait. Where no vote can ever follow (invalid body, a parent that contradicts
///    what is certified or final), the view is given up at once, as by rule 5.
/// 4. *On a Notarization of v*: take it, enter v + 1, and unless nullify was sent for v, broadcast finalize for v. The
///    body need not have been verified here: q voters hold it.
/// 5. *On a timer of the current view*: broadcast nullify, unless finalize was sent for it. Notarize and then nullify
///    is legal; nothing follows nullify in that view. The nullify is repeated every 2 delta, with the certificate by
///    which the view was entered, until the view moves.
/// 6. *On a Nullification of v*: take it, enter v + 1. A view may end up both notarised and nullified; it can then not
///    become final, and later leaders may build on either.
/// 7. *On a Finalization of v*: v and its ancestors are final. Deliver it, once and upwards; enter v + 1 where not yet
///    there; forget what lies at and below v.
/// 8. *Contradicting votes* of one signer become ``Evidence``: two notarize votes of one view that differ in any field,
///    two finalize votes that differ, nullify and finalize of one view. Votes inside certificates count. Told once for
///    each signer and view. (Notarize d, then finalize d' after seeing the Notarization of d', is legal.)
/// 9. *Silent leaders*. A masternode is *heard* when a vote of its own comes from itself, for a view of this epoch at
///    most ``ConsensusConfiguration/viewWindow`` from the current one: of any kind, for any leader's view, for one that
///    is final by now too (whoever is slow is not silent). Certificates, requests and new connections are no sign: a
///    masternode that only observes would never propose. It is *silent* when it was not heard while this node entered
///    ``ConsensusConfiguration/silenceViews`` views (two rotations of the leaders; a jump over many views counts once),
///    and at least q masternodes are not silent, this node one of them: with fewer it is this node that is cut off.
///    At its start a node counts everybody as heard. In the view of a silent leader that has not proposed, the leader
///    timer has length 0: nullify goes out when the timers of rule 1 start, so under load on entry, and in an idle
///    network when the heartbeat is due or others are seen to give the view up. The same holds for a leader whose own
///    nullify of the view is here and whose proposal is not. One vote ends the silence. All of this is local to a node
///    and decides only when it sends a nullify that rule 5 would let it send later.
/// 10. *Admission*. The sender of a vote is its signer; it is of this epoch, above the last final view, and at most
///     ``ConsensusConfiguration/viewWindow`` views from the current one; one vote of each kind for a signer and view.
///     Certificates above the last final view are taken and kept, below and above the current one. A message of a later
///     epoch is only reported. What is refused changes nothing, but that its sender may count as heard (rule 9).
///
/// A Notarization or Nullification is broadcast once, by each masternode that made it out of votes or was moved by it;
/// one that fills a gap below is not, since whoever lacks it asks.
///
/// ## Epoch borders
///
/// 11. The machine knows no heights: rule 11, by which nothing is built above an epoch's last block and every border block
/// gets a Finalization of its own, is kept by the application. Where ``Effect/propose(_:)`` names the border block as
/// the parent, it answers with that block's digest again. A proposal whose digest is its parent's it finds valid where
/// that is the border block, else invalid; and any block above the border block it finds invalid. A Finalization of any
/// view that proposed the digest makes the block final. At the first one the host replaces the machine by the one of
/// the next epoch, which starts at view 1 on that block, with the next set, the journal's records of its own epoch and
/// the tokens of its predecessor; where the old one goes on, ``Effect/finalized(_:)`` may name the same digest again with a higher view.
///
/// ## How timers adapt
///
/// delta starts at its bound. A timer of rule 1 that runs out doubles it, and so does each repetition of a nullify; a
/// view that rule 9 skips leaves it alone. A Notarization of the current view lets it fall by a sixteenth, but never
/// below ``ConsensusConfiguration/minimumDelayMs`` nor below twice the longest latency of late, to which it is also
/// raised at once. The latency of a view is the time from when its timers started to its Notarization; one above the
/// longest replaces it, one below draws it down by an eighth of the difference. Beyond the bound delta grows, up to 32
/// times it, only where a view fails whose leader is there; it falls back to the bound with the first view that takes at
/// most half of the bound, and when more than f give up a view that this node still waits in. Integers, per node, never sent.
///
/// ## Catching up
///
/// A request for the certificates of a span of views is answered with those that are held, and where the span reaches
/// down to what is final, with the last Finalization. A peer that says nullify again, or for a view long left, is sent
/// the last Finalization and the certificate by which the current view was entered. So is a peer that connects, with
/// this node's votes that may still matter: lost messages of a broken connection are thereby replaced.
///
/// ## Durable before public
///
/// Own votes, and every certificate that moved the view, are journalled; what tells others of them (votes, relayed
/// certificates, and the delivery of a final block, whose Finalization may hold an own vote) leaves when all records
/// issued so far are durable. At start the machine replays the journal over the last durable finalisation, stands where
/// it stood, sends its standing votes again and completes a step of which only the first records were written. It
/// never says anything that contradicts them, whatever instant the node was killed at. A vote of its own key that its
/// journal does not know shows that the journal is an old copy: such a node only observes.
///
/// ## Why it is safe, and live
///
/// An honest node notarizes at most one digest a view and never sends both finalize and nullify for a view; two quorums
/// share an honest node. So at most one digest is notarised in a view, and a final view is never nullified. A later
/// proposal needs every view between it and its parent nullified, so it cannot skip a final one.
///
/// Of the q who voted in view v, the honest ones were moved there by a certificate of v - 1, which their journals hold:
/// what a leader or voter lacks, somebody has. Once messages arrive within delta, a view with an honest leader is
/// notarised before its timers end, and every other view is left by them.
///
/// That timers adapt keeps this. A node whose timers are too short for the network gives a view up by them, and doubles
/// delta; only notarised views lower it. So between two notarised views each node gives up at most
/// log2(bound / minimum) views of honest leaders too early, and then waits as long as the bound, for which the argument
/// above holds. A view that is notarised though this node gave it up raises delta to twice what the view took.
///
/// That silent leaders are skipped keeps it too. Every certificate holds votes of q - f or more honest masternodes,
/// which all hear once messages arrive; so at most f honest ones can stay unheard. Some honest leader is then heard by
/// everybody, and the silence is at least a rotation long: its view is notarised, upon which every honest masternode
/// that did not nullify votes finalize, and one that did has voted as well. After two rotations nobody holds an honest
/// masternode that is up to be silent.
///
/// ## Bounds
///
/// Votes: three for each signer in each view of the window. Certificates: two for each view above the last final one
/// that a quorum certified; their number grows only while the network turns views over without finalising any. Answers:
/// ``ConsensusLimits``. Requests are not rated here: the host limits how fast a peer may speak.
/// Fixed bounds of what one node holds or sends.
public enum ConsensusLimits {
    /// Views that one certificate request can name, and one answer covers: at most two certificates for each.
    public static let viewsPerRequest: UInt64 = 32
    /// Peers asked at once for missing certificates, after the one who should have them.
    public static let peersPerRequest = 3
    /// Unfinalised views below the current one whose finalize votes are sent again to a peer that connects.
    public static let finalizeVotesRepeated: UInt64 = 8
    /// Messages that wait for the journal before answers to peers' requests are dropped instead of queued.
    public static let heldEffects = 4_096
}
