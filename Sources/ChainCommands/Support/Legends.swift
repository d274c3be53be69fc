/// What the words and letters in an answer mean, said where they stand.
enum Legends {
    static let reputation = """
        score: from 0 towards 1.0000, the highest, which no account reaches; for, against: what verdicts counted for and \
        against the account, both halved as time goes by. Evidence against counts four times.
        """

    static let explained = """
        P is what counted for the account and N what counted against it, U one full unit (2^20 = 1.00), all in units of \
        2^-20; R goes from 0 towards 2^20 (shown as 1.0000), the highest score, which no account reaches. A weight is cut \
        down where the service's deposit or its validator does not carry it.
        """

    static let outcomes = """
        succeeded: it had its effect; recorded: it is on the chain, and no contract or rule acts on it; failed: it is on \
        the chain and changed nothing but the sender's sequence and credits
        """
}
