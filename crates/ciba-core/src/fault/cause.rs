//! The causes for which an exchange had no usable response. They contain no text of another party,
//! so they can be logged, compared and saved.

use core::fmt;

use super::Fault;
use crate::named::named;

named! {
    /// The cause for which no response was received.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
    #[non_exhaustive]
    pub enum Cause {
        /// The cause is unknown, or the adapter did not report it.
        Unknown = "unknown" => "the reason is not known",
        /// The host name could not be resolved.
        Name = "name_not_resolved" => "the host name could not be resolved",
        /// The host refused the connection, usually because nothing listens on the port.
        Refused = "connection_refused" => "the connection was refused",
        /// There is no route to the host.
        NoRoute = "no_route" => "the host cannot be reached from this network",
        /// The connection was not established in time.
        ConnectTimeout = "connect_timeout" => "the connection could not be made in time",
        /// TLS could not be negotiated, and there was no alert with a reason: there is no common
        /// version or cipher, or the server does not speak TLS.
        Tls = "tls" => "no TLS connection could be made",
        /// The proxy could not be reached, or did not establish the connection.
        Proxy = "proxy" => "the proxy did not make the connection",
        /// The proxy requires credentials, or rejected those it was given (status 407).
        ProxyCredentials = "proxy_credentials"
            => "the proxy requires a user name and password, or rejected those it was given",
        /// No response was received in time.
        Timeout = "timeout" => "timed out waiting for the answer",
        /// The connection was closed before the response was complete.
        Closed = "connection_closed" => "the connection was closed before the answer was complete",
        /// The response was not HTTP.
        NotHttp = "not_http" => "the answer was not HTTP",
        /// The head of the response was too large.
        TooLarge = "too_large" => "the head of the answer was too large",
        /// The flow did not allow the request to be sent any more.
        Withheld = "withheld" => "it was too late to send the request",
        /// The caller stopped waiting before there was a response.
        Interrupted = "interrupted" => "the caller stopped waiting for the answer",
        /// The HTTP client refused to send, for example because a log would reveal secrets.
        Local = "local" => "the HTTP client did not send the request",
    } copied with {
        /// The server's certificate was not accepted.
        Certificate(problem: CertificateProblem) = problem.name()
            => ("the server's certificate {problem}"),
        /// The server rejected the client certificate or requires one: a fatal alert was received
        /// before any byte of a response.
        ClientCertificate(alert: TlsAlert) = "client_certificate"
            => ("the server did not accept the client certificate ({alert})"),
        /// The server ended the connection with another fatal TLS alert.
        TlsAlert(alert: TlsAlert) = "tls_alert"
            => ("the server ended the TLS connection ({alert})"),
    }
}

impl Cause {
    /// Returns the TLS alert that caused it.
    #[must_use]
    pub const fn alert(self) -> Option<TlsAlert> {
        match self {
            Self::ClientCertificate(alert) | Self::TlsAlert(alert) => Some(alert),
            _ => None,
        }
    }

    /// Returns the cause with the given name. Some causes need the number of a TLS alert.
    pub(crate) fn from_name(name: &str, alert: Option<u8>) -> Self {
        let alert = TlsAlert(alert.unwrap_or_default());
        let with_data: [Option<Self>; Self::WITH_DATA] = [
            CertificateProblem::from_name(name).map(Self::Certificate),
            Some(Self::ClientCertificate(alert)),
            Some(Self::TlsAlert(alert)),
        ];
        Self::without_data(name)
            .or_else(|| with_data.into_iter().flatten().find(|cause| cause.name() == name))
            // A later version knows more causes. They only explain, so the flow is resumed.
            .unwrap_or(Self::Unknown)
    }
}

named! {
    /// The reason for which a server's certificate was not accepted.
    #[non_exhaustive]
    pub enum CertificateProblem {
        /// It was not issued by a trusted root.
        UnknownIssuer = "certificate_unknown_issuer" => "is not signed by a trusted authority",
        /// It is the certificate of a certificate authority and not of a server.
        CaAsEndEntity = "certificate_ca_as_end_entity"
            => "is that of a certificate authority, not of a server",
        /// It has expired.
        Expired = "certificate_expired" => "has expired",
        /// It is not valid yet.
        NotYetValid = "certificate_not_yet_valid" => "is not valid yet",
        /// It is for another host.
        WrongName = "certificate_wrong_name" => "is for another host name",
        /// It was revoked.
        Revoked = "certificate_revoked" => "was revoked",
        /// It is unusable for another reason.
        Other = "certificate_unusable" => "cannot be used",
    }
}

/// A TLS alert, identified by its number ([RFC 8446 section 6]).
///
/// [RFC 8446 section 6]: https://www.rfc-editor.org/rfc/rfc8446#section-6
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TlsAlert(pub u8);

impl TlsAlert {
    /// Returns `true` if the alert means that the client's certificate, or its absence, ended the
    /// handshake.
    ///
    /// A server sends such an alert before it reads a request, although in TLS 1.3 the request may
    /// already have been sent by then.
    // Ruling 35: the request therefore counts as not sent.
    #[must_use]
    pub const fn is_about_client_certificate(self) -> bool {
        // decrypt_error is sent if the signature of the handshake does not verify.
        matches!(self.0, 42..=46 | 48 | 49 | 51 | 116)
    }

    /// Returns the name from [RFC 8446 section 6], for the alerts that end a handshake.
    ///
    /// [RFC 8446 section 6]: https://www.rfc-editor.org/rfc/rfc8446#section-6
    #[must_use]
    pub const fn name(self) -> Option<&'static str> {
        Some(match self.0 {
            0 => "close_notify",
            10 => "unexpected_message",
            20 => "bad_record_mac",
            22 => "record_overflow",
            40 => "handshake_failure",
            42 => "bad_certificate",
            43 => "unsupported_certificate",
            44 => "certificate_revoked",
            45 => "certificate_expired",
            46 => "certificate_unknown",
            47 => "illegal_parameter",
            48 => "unknown_ca",
            49 => "access_denied",
            50 => "decode_error",
            51 => "decrypt_error",
            70 => "protocol_version",
            71 => "insufficient_security",
            80 => "internal_error",
            86 => "inappropriate_fallback",
            90 => "user_canceled",
            109 => "missing_extension",
            110 => "unsupported_extension",
            112 => "unrecognized_name",
            113 => "bad_certificate_status_response",
            115 => "unknown_psk_identity",
            116 => "certificate_required",
            120 => "no_application_protocol",
            _ => return None,
        })
    }
}

impl fmt::Display for TlsAlert {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => write!(f, "TLS alert {name}")?,
            None => write!(f, "TLS alert {}", self.0)?,
        }
        f.write_str(match self.0 {
            70 => ", it supports neither TLS 1.2 nor TLS 1.3",
            112 => ", it does not know this host name",
            _ => "",
        })
    }
}

/// What went wrong with an exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ExchangeProblem {
    /// No response was received.
    Unanswered(Cause),
    /// A response was received that cannot be used.
    Unusable {
        /// What is wrong with the response.
        fault: Fault,
        /// The status of the response.
        status: u16,
    },
}

impl ExchangeProblem {
    /// Returns `true` if the problem may be temporary: no response was received, or the status is
    /// 408, 425, 429 or 5xx. Any other response would be the same the next time.
    #[must_use]
    pub const fn may_pass(self) -> bool {
        match self {
            Self::Unanswered(_) => true,
            Self::Unusable { fault, status } => {
                matches!(fault, Fault::Status) && matches!(status, 408 | 425 | 429 | 500..)
            }
        }
    }

    /// Returns the snake_case name, for machine-readable output.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unanswered(cause) => cause.name(),
            Self::Unusable { fault, .. } => fault.name(),
        }
    }
}

named!(serialize ExchangeProblem);

impl fmt::Display for ExchangeProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unanswered(cause) => cause.fmt(f),
            Self::Unusable { fault: Fault::Status, status } => {
                write!(f, "the answer has status {status}")
            }
            Self::Unusable { fault: Fault::Redirect, status } => {
                write!(f, "the answer is a redirect (status {status})")
            }
            Self::Unusable { fault, .. } => write!(f, "the answer cannot be used: {fault}"),
        }
    }
}

impl From<Cause> for ExchangeProblem {
    fn from(cause: Cause) -> Self {
        Self::Unanswered(cause)
    }
}

/// Writes the reason after the message that it explains. An unknown cause is not written.
pub(crate) fn write_reason(f: &mut fmt::Formatter<'_>, problem: ExchangeProblem) -> fmt::Result {
    match problem {
        ExchangeProblem::Unanswered(Cause::Unknown) => Ok(()),
        problem => write!(f, ": {problem}"),
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString as _;

    use super::*;

    #[test]
    fn an_alert_with_a_clear_meaning_is_explained() {
        let text = Cause::TlsAlert(TlsAlert(70)).to_string();
        assert!(
            text.ends_with("(TLS alert protocol_version, it supports neither TLS 1.2 nor TLS 1.3)")
        );
        let text = Cause::TlsAlert(TlsAlert(40)).to_string();
        assert!(text.ends_with("(TLS alert handshake_failure)"));
    }

    #[test]
    fn every_cause_is_found_by_its_name() {
        for problem in CertificateProblem::ALL {
            let cause = Cause::Certificate(problem);
            assert_eq!(Cause::from_name(cause.name(), None), cause);
        }
        for cause in [Cause::Name, Cause::Timeout, Cause::Local] {
            assert_eq!(Cause::from_name(cause.name(), None), cause);
        }
        for alert in 0..=255 {
            let alert = TlsAlert(alert);
            for cause in [Cause::ClientCertificate(alert), Cause::TlsAlert(alert)] {
                assert_eq!(
                    Cause::from_name(cause.name(), cause.alert().map(|alert| alert.0)),
                    cause
                );
            }
        }
        assert_eq!(Cause::from_name("nothing", None), Cause::Unknown);
    }
}
