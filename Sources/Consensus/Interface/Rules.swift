/// The checks that make the protocol safe and live, as switches. All are on in the product; tests switch one off to
/// see that the simulator notices (a mutation without a rebuild).
package struct Rules: Sendable, Hashable {
    /// q = n - f. Off: one less.
    package var fullQuorum = true
    /// Rule 1: views only rise.
    package var viewsOnlyRise = true
    /// Rule 2: the parent is the highest notarised view. Off: the last finalised one.
    package var proposeOnHighestNotarized = true
    /// Rule 3: at most one notarize vote a view, for the leader's first proposal. Off: one for each proposal.
    package var notarizeOnce = true
    /// Rule 3: nothing follows nullify in its view.
    package var neverNotarizeAfterNullify = true
    /// Rule 3: the parent is notarised and all views between are nullified.
    package var justifyParent = true
    /// Rule 3: the application found the body valid.
    package var requireVerdict = true
    /// Rule 3: data that is missing is fetched.
    package var fetchMissing = true
    /// Rule 4: no finalize where nullify was sent.
    package var neverFinalizeAfterNullify = true
    /// Rule 5: no nullify where finalize was sent, and only for the current view.
    package var neverNullifyAfterFinalize = true
    /// Rule 5: the nullify is repeated, with the certificate by which the view was entered.
    package var repeatNullify = true
    /// Rule 8: contradicting votes are kept as evidence.
    package var keepEvidence = true
    /// Rule 9: the view of a leader who is silent, or gave it up itself, is given up at once.
    package var skipSilentLeaders = true
    /// Rule 9: nobody is silent while fewer than q are heard.
    package var silenceNeedsQuorum = true
    /// Rule 9: a silent masternode is heard again. Off: never.
    package var hearReturningLeaders = true
    /// Rule 1: delta grows where a timer ran out.
    package var growDelay = true
    /// Rule 1: where views keep failing delta grows beyond the genesis's bound.
    package var growBeyondBound = true
    /// Rule 10: signatures of votes and certificates are checked.
    package var checkSignatures = true
    /// Messages wait for the records that they depend on.
    package var durableBeforePublic = true
    /// A node that meets a vote of its own key which its journal does not know stops voting.
    package var noticeLostVotes = true
    /// Rule 12: who does not know the votes of its key asks the others before it votes. Off: it votes at once.
    package var askBeforeVoting = true
    /// Rule 12: no vote below the view in which the others were, and in it nullify alone. Off: any vote.
    package var keepFloor = true
    /// A restarted node knows its votes.
    package var replayJournal = true

    package init() {}
}
