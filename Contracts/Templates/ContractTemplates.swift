/// # ContractTemplates
///
/// What `chain-cli contract new` writes: the contracts of this repository that its own tests run, the header for C and the
/// SDK for Swift, taken into the program as they are. There is no second text of any of them.
package enum ContractTemplates {
    package struct File: Sendable {
        /// Below the project's folder.
        package let path: String
        package let text: String
    }

    /// A vote in C.
    package static func c(_ name: String) -> [File] {
        [
            File("\(name).c", PackageResources.tally_c, replacing: ("../C/edgeproof.h", "edgeproof.h")),
            File("edgeproof.h", PackageResources.edgeproof_h),
            File("\(name).test.yaml", PackageResources.tally_test_yaml, replacing: ("Contracts/Tally", name)),
        ]
    }

    /// A counter and notary in Swift, and the SDK that it is compiled with.
    package static func swift(_ name: String) -> [File] {
        [
            File("\(name).swift", PackageResources.Counter_swift),
            File("\(name).test.yaml", PackageResources.counter_test_yaml, replacing: ("Contracts/Counter", name)),
        ] + sdk
    }

    private static var sdk: [File] {
        [
            File("sdk/Borsh.swift", PackageResources.Borsh_swift), File("sdk/Bytes.swift", PackageResources.Bytes_swift),
            File("sdk/Chain.swift", PackageResources.Chain_swift), File("sdk/Context.swift", PackageResources.Context_swift),
            File("sdk/Contract.swift", PackageResources.Contract_swift), File("sdk/Host.swift", PackageResources.Host_swift),
            File("sdk/Keys.swift", PackageResources.Keys_swift), File("sdk/Runtime.swift", PackageResources.Runtime_swift),
            File("sdk/Service.swift", PackageResources.Service_swift), File("sdk/Storage.swift", PackageResources.Storage_swift),
            File("sdk/Text.swift", PackageResources.Text_swift), File("sdk/Values.swift", PackageResources.Values_swift),
        ]
    }
}

extension ContractTemplates.File {
    fileprivate init(_ path: String, _ bytes: [UInt8], replacing pair: (String, String)? = nil) {
        self.path = path
        let text = String(decoding: bytes, as: UTF8.self)
        self.text = pair.map { text.split(separator: $0.0, omittingEmptySubsequences: false).joined(separator: $0.1) } ?? text
    }
}
