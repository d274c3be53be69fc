import Foundation
import NIOCore
import NIOSSL
import Testing
import WebClient

/// `https`, as a proxy before a node speaks it: whom this side trusts is heard, and nobody else is told anything.
@Suite(.timeLimit(.minutes(20))) struct TLSTests {
    private func context(_ certificate: String) throws -> NIOSSLContext {
        try NIOSSLContext(
            configuration: .makeServerConfiguration(
                certificateChain: NIOSSLCertificate.fromPEMBytes(Array(certificate.utf8)).map { .certificate($0) },
                privateKey: .privateKey(NIOSSLPrivateKey(bytes: Array(Self.key.utf8), format: .pem))))
    }

    /// Calls with the path of a file that has this in it.
    private func withFile<Value>(_ text: String, _ body: (String) async throws -> Value) async throws -> Value {
        let file = FileManager.default.temporaryDirectory.appending(path: "authorities-\(UUID().uuidString).pem")
        try Data(text.utf8).write(to: file)
        defer { try? FileManager.default.removeItem(at: file) }
        return try await body(file.path)
    }

    private func client(trusting path: String?) -> HTTPClient {
        var configuration = HTTPClient.Configuration()
        configuration.authorities = path
        return HTTPClient(configuration: configuration)
    }

    private func answer(_ client: HTTPClient, _ url: String) async throws -> String {
        let response = try await client.execute(HTTPClientRequest(url: url), timeout: .seconds(60))
        return String(buffer: try await response.body.collect(upTo: 1_000))
    }

    /// What a person is told; nil where there was an answer.
    private func refusal(_ client: HTTPClient, _ url: String) async -> String? {
        do {
            _ = try await answer(client, url)
            return nil
        } catch { return HTTPClient.reason(error) }
    }

    @Test func aTrustedServerIsHeardAndItsConnectionKept() async throws {
        try await withFile(Self.own) { path in
            try await ScriptedServer.with(tls: context(Self.own)) { server in
                let trusting = client(trusting: path)
                for _ in 0..<3 {
                    let text = try await answer(trusting, server.url + "/ok")
                    #expect(text == "ok")
                }
                #expect(server.counts.connections == 1 && server.counts.requests == 3)
            }
        }
    }

    /// Nothing of a request leaves for a server that nobody vouches for, or that is another one than was asked for.
    @Test func whoIsNotTrustedHearsNothing() async throws {
        try await ScriptedServer.with(tls: context(Self.own)) { server in
            let text = await refusal(client(trusting: nil), server.url + "/ok")
            #expect(text?.contains("none that this machine trusts") == true, "\(text ?? "an answer")")
            #expect(server.counts.requests == 0)
        }
        try await withFile(Self.other) { path in
            try await ScriptedServer.with(tls: context(Self.other)) { server in
                let text = await refusal(client(trusting: path), server.url + "/ok")
                #expect(text?.contains("none that this machine trusts") == true, "\(text ?? "an answer")")
                #expect(server.counts.requests == 0)
            }
        }
    }

    @Test func aFileWithoutAuthoritiesIsNamed() async throws {
        let none = "/nowhere/authorities.pem"
        let text = await refusal(client(trusting: none), "https://127.0.0.1:9/ok")
        #expect(text?.contains("SSL_CERT_FILE names '\(none)'") == true, "\(text ?? "an answer")")
        try await withFile("no certificate") { path in
            let text = await refusal(client(trusting: path), "https://127.0.0.1:9/ok")
            #expect(text?.contains("has no certificate in it") == true, "\(text ?? "an answer")")
        }
    }

    // MARK: A key, and two certificates that it signed for itself, valid from 2020 to 2120

    private static let key = """
        -----BEGIN PRIVATE KEY-----
        MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgrcD5D4eCIQDp3LNK
        ofJTXMaNxZzigeH+pah3uMmM4d2hRANCAARH3mARVWj2AR99wBOe0TeVG5A+4N3l
        WQobtXhuhEOJDwiw1Ma7+e98coRMlZ4Q/UWpofXxvI+u9iReXTmFyMqU
        -----END PRIVATE KEY-----
        """
    /// For 127.0.0.1.
    private static let own = """
        -----BEGIN CERTIFICATE-----
        MIIBeTCCAR+gAwIBAgIUK/TDifkZZwgz3A0R8GfSLRqSCxowCgYIKoZIzj0EAwIw
        GTEXMBUGA1UEAwwOZWRnZXByb29mIHRlc3QwIBcNMjAwMTAxMDAwMDAwWhgPMjEy
        MDAxMDEwMDAwMDBaMBkxFzAVBgNVBAMMDmVkZ2Vwcm9vZiB0ZXN0MFkwEwYHKoZI
        zj0CAQYIKoZIzj0DAQcDQgAER95gEVVo9gEffcATntE3lRuQPuDd5VkKG7V4boRD
        iQ8IsNTGu/nvfHKETJWeEP1FqaH18byPrvYkXl05hcjKlKNDMEEwDwYDVR0TAQH/
        BAUwAwEB/zAPBgNVHREECDAGhwR/AAABMB0GA1UdDgQWBBQoVgS+2D73EQO78LSM
        VdvKay89rzAKBggqhkjOPQQDAgNIADBFAiEA8HeqzW/K/F09RVvmUFKl3qtvHA/+
        iibIH9Blnnl8SJMCIBSkPWACku+CoTc9Xl2K6tcHsztsWTSo6P0LCfr1+USX
        -----END CERTIFICATE-----
        """
    /// For 192.0.2.1.
    private static let other = """
        -----BEGIN CERTIFICATE-----
        MIIBeTCCAR+gAwIBAgIUPjm258kj1bf7GPl92LX+xMv6OT4wCgYIKoZIzj0EAwIw
        GTEXMBUGA1UEAwwOZWRnZXByb29mIHRlc3QwIBcNMjAwMTAxMDAwMDAwWhgPMjEy
        MDAxMDEwMDAwMDBaMBkxFzAVBgNVBAMMDmVkZ2Vwcm9vZiB0ZXN0MFkwEwYHKoZI
        zj0CAQYIKoZIzj0DAQcDQgAER95gEVVo9gEffcATntE3lRuQPuDd5VkKG7V4boRD
        iQ8IsNTGu/nvfHKETJWeEP1FqaH18byPrvYkXl05hcjKlKNDMEEwDwYDVR0TAQH/
        BAUwAwEB/zAPBgNVHREECDAGhwTAAAIBMB0GA1UdDgQWBBQoVgS+2D73EQO78LSM
        VdvKay89rzAKBggqhkjOPQQDAgNIADBFAiEAhpnxCHKQBSWNfh1OGMBXvrKEVTaN
        1Jn/cTjRtJRGoZYCIBx2pkzLDgGhZMwDKx2qmNh7xaHr2zlzbw/T0jFpzBJL
        -----END CERTIFICATE-----
        """
}
