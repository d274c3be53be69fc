import ProgramSupport
import WebClient

/// What people are told of an error: never a library's text. Those of sockets are an exchange's with another worker.
func told(_ error: any Error) -> String {
    String(reflecting: type(of: error)).hasPrefix("NIO") || error is HTTPClientError
        ? HTTPClient.reason(error) : Reason.text(error)
}
