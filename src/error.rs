//! The error type of the whole crate.
//!
//! Every fallible public function returns [`Result`]. An [`Error`] is opaque: its text says what was
//! wrong, where, and what to do; [`Error::kind`] says which of a few classes it belongs to, for programs
//! that must react (the command maps kinds to exit codes with [`ErrorKind::exit_code`]).

use std::fmt;

/// `std::result::Result` with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The class of an [`Error`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// Something unforeseen: a bug of ours or of a driver.
    Internal,
    /// The request itself makes no sense: an unknown name, contradictory options.
    Usage,
    /// No device fits the request, or a device was lost.
    Device,
    /// A file, tensor or graph that cannot be used.
    BadInput,
    /// The device's memory, its limits or the memory budget do not suffice.
    OutOfMemory,
    /// Two results that should agree do not.
    Mismatch,
}

impl ErrorKind {
    /// The exit code of the command for an error of this kind.
    pub fn exit_code(self) -> u8 {
        match self {
            ErrorKind::Internal => 1,
            ErrorKind::Usage => 2,
            ErrorKind::Device => 3,
            ErrorKind::BadInput => 4,
            ErrorKind::OutOfMemory => 5,
            ErrorKind::Mismatch => 6,
        }
    }
}

/// What went wrong, where, and what to do about it.
pub struct Error {
    kind: ErrorKind,
    message: String,
}

impl Error {
    /// An error of the given kind.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Error { kind, message: message.into() }
    }

    /// An [`ErrorKind::BadInput`] error.
    pub fn bad_input(message: impl Into<String>) -> Self {
        Error::new(ErrorKind::BadInput, message)
    }

    /// An [`ErrorKind::Usage`] error.
    pub fn usage(message: impl Into<String>) -> Self {
        Error::new(ErrorKind::Usage, message)
    }

    /// An [`ErrorKind::Device`] error.
    pub fn device(message: impl Into<String>) -> Self {
        Error::new(ErrorKind::Device, message)
    }

    /// An [`ErrorKind::OutOfMemory`] error.
    pub fn out_of_memory(message: impl Into<String>) -> Self {
        Error::new(ErrorKind::OutOfMemory, message)
    }

    /// An [`ErrorKind::Internal`] error.
    pub fn internal(message: impl Into<String>) -> Self {
        Error::new(ErrorKind::Internal, message)
    }

    /// The class of this error.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The same error with `place: ` before its text.
    #[must_use]
    pub fn at(mut self, place: impl fmt::Display) -> Self {
        self.message = format!("{place}: {}", self.message);
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.kind, self.message)
    }
}

impl std::error::Error for Error {}

/// Puts a place before the text of an error: `read(path).at(path.display())?`.
pub trait At<T> {
    /// See [`Error::at`].
    fn at(self, place: impl fmt::Display) -> Result<T>;
}

impl<T> At<T> for Result<T> {
    fn at(self, place: impl fmt::Display) -> Result<T> {
        self.map_err(|e| e.at(place))
    }
}

impl<T> At<T> for std::io::Result<T> {
    fn at(self, place: impl fmt::Display) -> Result<T> {
        self.map_err(|e| Error::bad_input(e.to_string()).at(place))
    }
}
