/// Which samples belong to whom. Shards are ranges of the data as they are filed, never drawn at random: neighbouring
/// digits of one house number overlap in their pixels, so that a random split would leak from one part to the other.
public struct Shards: Sendable, Equatable {
    /// Of each fog node, the ranges of its devices.
    public let devices: [[Range<Int>]]
    /// Kept from training: the cloud validates on these.
    public let validation: Range<Int>

    /// Table 1 of the paper on fog computing: samples of a device, by the number of fog nodes; and 10,000 for
    /// validation. (It gives 23,300, 14,000 and 10,000 for a fog node, which its devices' numbers times 6 meet but for
    /// rounding.)
    public static func table1(fogNodes: Int) -> (device: Int, validation: Int)? {
        switch fogNodes {
        case 3: (3_883, 10_000)
        case 5: (2_333, 10_000)
        case 7: (1_666, 10_000)
        default: nil
        }
    }

    /// - Throws: `overlap` when two shards have a sample in common, `shard` when one reaches beyond the data.
    public init(devices: [[Range<Int>]], validation: Range<Int>, total: Int) throws(DatasetError) {
        let all = devices.flatMap { $0 } + [validation]
        for (index, range) in all.enumerated() where range.lowerBound < 0 || range.upperBound > total {
            throw .shard(index: index, count: total)
        }
        let ordered = all.enumerated().filter { !$0.element.isEmpty }.sorted {
            ($0.element.lowerBound, $0.offset) < ($1.element.lowerBound, $1.offset)
        }
        for (first, second) in zip(ordered, ordered.dropFirst()) where second.element.lowerBound < first.element.upperBound {
            throw .overlap(first: first.offset, second: second.offset, sample: second.element.lowerBound)
        }
        self.devices = devices
        self.validation = validation
    }

    /// The data in the order of the file: first the fog nodes' shares, equal for every device, then `validation`
    /// samples. What does not divide stays unused.
    public init(fogNodes: Int, devicesEach: Int, validation: Int, total: Int) throws(DatasetError) {
        guard (1...4_096).contains(fogNodes), (1...4_096).contains(devicesEach), (1...max(total, 1)).contains(validation),
            total - validation >= fogNodes * devicesEach
        else { throw .shard(index: validation, count: total) }
        let parts = fogNodes * devicesEach
        let each = (total - validation) / parts
        let ranges = (0..<fogNodes).map { fog in
            (0..<devicesEach).map { device in
                let start = (fog * devicesEach + device) * each
                return start..<start + each
            }
        }
        try self.init(devices: ranges, validation: (total - validation)..<total, total: total)
    }
}
