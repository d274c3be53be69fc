import NodeHost
import Testing

/// A node's clock moves for tests alone.
@Suite(.timeLimit(.minutes(20))) struct TestClockTests {
    private func setting(_ offset: String?, allowed: String? = TestClock.permission) -> TestClock.Setting {
        var environment: [String: String] = [:]
        environment[TestClock.offsetVariable] = offset
        environment[TestClock.permissionVariable] = allowed
        return TestClock.setting(environment)
    }

    @Test func anOffsetWithPermissionIsTaken() {
        #expect(setting("1500") == .offset(1_500))
        #expect(setting("-1500") == .offset(-1_500))
        #expect(setting(nil) == .none)
        #expect(setting(nil, allowed: nil) == .none)
    }

    @Test(arguments: ["1501", "-1501", "", "soon", "9223372036854775808", "1.5", " 7"])
    func whatIsNoSmallWholeNumberIsIgnored(_ text: String) {
        guard case .ignored(let reason) = setting(text) else { return #expect(Bool(false), "'\(text)' was taken") }
        #expect(reason.contains(TestClock.offsetVariable))
    }

    @Test(arguments: [nil, "", "1", "yes"]) func withoutPermissionItIsIgnored(_ permission: String?) {
        guard case .ignored(let reason) = setting("100", allowed: permission) else {
            return #expect(Bool(false), "taken without permission")
        }
        #expect(reason.contains(TestClock.permissionVariable))
    }
}
