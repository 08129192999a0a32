//! Video files in, tensors out; and pictures back into files.
//!
//! [`open`] recognises a file by its content and decodes it frame by frame, never holding more of a
//! video than the few frames a codec reorders. [`sample`] chooses frames, [`resize`](mod@resize) scales
//! them, a [`Recipe`] does both the way a published network was trained, and [`write`](mod@write) makes
//! GIFs and PNGs.
//!
//! | input | decoded by |
//! |---|---|
//! | MP4, MOV: H.264 up to High profile (8 bits, 4:2:0, progressive), VP9 | this crate, pure Rust |
//! | MKV, WebM: the same codecs | this crate |
//! | animated GIF, YUV4MPEG2 (`.y4m`) | this crate |
//! | PNG, JPEG, WebP; a folder of them in natural order | this crate |
//! | everything else but plain text | an `ffmpeg` process, where one is on the `PATH` |
//!
//! # Colour
//! Frames are RGB, 8 bits, not linear. YCbCr is converted with the matrix and the range the stream
//! states (H.264 VUI, VP9 header, or the container's colour box when the stream is silent). A stream that
//! states neither is taken as BT.601 in limited range, at any size, as `swscale` takes it. Each chroma
//! sample colours all pixels it covers, as `swscale` does in its default conversion: that is what the
//! training data of published networks went through. Levels are rounded to the nearest; `swscale` truncates
//! by default, so frames of OpenCV or PyAV are about one level darker, nowhere more than three.
//!
//! # Geometry
//! The size of a video is the size of its decoded frames: the aspect ratio of the pixels is not applied.
//! The rotation a phone writes into an MP4 and the start of its edit list are applied.

mod coded;
mod color;
mod crops;
mod ffmpeg;
mod frame;
mod gif;
mod h264;
mod indexed;
mod lab;
mod mkv;
mod mp4;
mod recipe;
mod recipes;
pub mod resize;
pub mod sample;
mod still;
#[cfg(test)]
mod tests;
mod vp9;
pub mod write;
mod y4m;

use std::fmt;
use std::io::Read;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

pub(crate) use crops::Corner;
pub use crops::Crops;
pub use frame::Frame;
pub use indexed::{Indexed, MOST_OBJECTS};
pub use lab::{from_lab, lab};
pub use recipe::{Channels, Crop, Rate, Recipe, Rounding, Size};
pub use recipes::RECIPES;

/// The largest picture accepted, in pixels: a damaged header must not ask for all memory.
const MAX_PIXELS: usize = 1 << 26;

/// A decoded picture before it is turned into a [`Frame`].
enum Picture {
    Rgb(Frame),
    Yuv(color::Planes),
}

impl Picture {
    fn size(&self) -> (usize, usize) {
        match self {
            Picture::Rgb(f) => (f.width, f.height),
            Picture::Yuv(p) => (p.width, p.height),
        }
    }

    fn into_frame(self) -> Frame {
        match self {
            Picture::Rgb(f) => f,
            Picture::Yuv(p) => Frame { width: p.width, height: p.height, rgb: p.to_rgb() },
        }
    }
}

/// Why a source gives no picture: the input is bad, or is for another decoder (which says what it is).
enum Refusal {
    Bad(Error),
    Foreign(String),
}

impl From<Error> for Refusal {
    fn from(e: Error) -> Self {
        Refusal::Bad(e)
    }
}

type Step<T> = Result<T, Refusal>;

/// Where pictures come from, in display order.
trait Source: Send {
    /// The next picture; `None` after the last.
    fn next(&mut self) -> Step<Option<Picture>>;

    /// Passes over the next picture; `false` after the last.
    fn skip(&mut self) -> Step<bool> {
        Ok(self.next()?.is_some())
    }
}

/// A source and what is known about it before the first picture.
struct Opened {
    source: Box<dyn Source>,
    format: String,
    fps: Option<f64>,
    frames: Option<usize>,
    /// Quarter turns clockwise that make the picture upright.
    turns: u8,
}

/// Runs a decoder; its panics become errors, because damaged files reach it.
fn guard<T>(decode: impl FnOnce() -> Step<T>) -> Step<T> {
    catch_unwind(AssertUnwindSafe(decode)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or(panic.downcast_ref::<&str>().copied()).unwrap_or("no reason given");
        Err(Error::bad_input(format!("damaged data stopped the decoder ({text})")).into())
    })
}

/// A video being decoded, frame by frame, from its start.
pub struct Video {
    path: PathBuf,
    opened: Opened,
    width: usize,
    height: usize,
    position: usize,
    first: Option<Picture>,
    state: State,
}

/// How far decoding has come.
enum State {
    Running,
    Ended,
    /// The text of the error, which every later call repeats.
    Failed(String),
}

/// Opens a video file, a picture or a folder of pictures. What it is, is read from its content.
///
/// # Errors
/// [`crate::ErrorKind::BadInput`] when the path cannot be read, is no video, is cut off, holds no frame,
/// or is of a kind for which `ffmpeg` is needed and missing (the text says what to do).
pub fn open(path: impl AsRef<Path>) -> Result<Video> {
    let path = path.as_ref();
    let video = guard(|| recognise(path)).and_then(|opened| Video::start(path, opened));
    let video = match video {
        Err(Refusal::Foreign(what)) => {
            ffmpeg::open(path, &what).and_then(|opened| Video::start(path, opened))
        }
        other => other,
    };
    video.map_err(|refusal| match refusal {
        Refusal::Bad(e) => e.at(path.display()),
        Refusal::Foreign(what) => Error::bad_input(format!("{what} cannot be decoded")).at(path.display()),
    })
}

/// Finds the decoder for a path by the first bytes.
fn recognise(path: &Path) -> Step<Opened> {
    let plain = |e: std::io::Error| Error::bad_input(format!("cannot be read: {e}"));
    let metadata = std::fs::metadata(path).map_err(plain)?;
    if metadata.is_dir() {
        return still::folder(path);
    }
    // Opening a pipe would wait for a writer, and decoding may start anew.
    if !metadata.is_file() {
        return Err(Error::bad_input("is not a regular file; save the video to one first").into());
    }
    let mut head = Vec::new();
    std::fs::File::open(path).and_then(|f| f.take(512).read_to_end(&mut head)).map_err(plain)?;
    match head.as_slice() {
        [] => Err(Error::bad_input("the file is empty").into()),
        [_, _, _, _, b'f', b't', b'y', b'p', ..] => mp4::open(path),
        [_, _, _, _, b'm', b'o', b'o', b'v', ..] => Err(Refusal::Foreign("an old QuickTime movie".into())),
        [0x1a, 0x45, 0xdf, 0xa3, ..] => mkv::open(path),
        [b'G', b'I', b'F', b'8', ..] => gif::open(path),
        [b'Y', b'U', b'V', b'4', b'M', b'P', b'E', b'G', b'2', ..] => y4m::open(path),
        _ if still::is_picture(&head) => still::single(path),
        [b'R', b'I', b'F', b'F', a, b, c, d, b'A', b'V', b'I', b' ', ..] => {
            let declared = u64::from(u32::from_le_bytes([*a, *b, *c, *d])) + 8;
            let held = std::fs::metadata(path).map_err(plain)?.len();
            if held < declared {
                return Err(Error::bad_input(format!(
                    "the file is cut off: it holds {held} of {declared} bytes"
                ))
                .into());
            }
            Err(Refusal::Foreign("an AVI file".into()))
        }
        [0, 0, 1, 0xba, ..] | [0x47, ..] => Err(Refusal::Foreign("an MPEG stream".into())),
        [b'O', b'g', b'g', b'S', ..] => Err(Refusal::Foreign("an Ogg file".into())),
        [b'F', b'L', b'V', ..] => Err(Refusal::Foreign("an FLV file".into())),
        [0x30, 0x26, 0xb2, 0x75, ..] => Err(Refusal::Foreign("a Windows Media file".into())),
        // ffmpeg would draw the letters.
        head if is_text(head) => Err(Error::bad_input("this is a text file, no video").into()),
        _ => Err(Refusal::Foreign("no video or picture in a format known here".into())),
    }
}

/// Whether a file that begins so is plain text.
fn is_text(head: &[u8]) -> bool {
    let valid = std::str::from_utf8(head).map_or_else(|e| e.valid_up_to(), str::len);
    // The last character may be cut.
    head.len() - valid < 4
        && head[..valid].iter().all(|b| *b >= b' ' || b.is_ascii_whitespace() || *b == 0x1b)
}

impl Video {
    fn start(path: &Path, mut opened: Opened) -> Step<Video> {
        let first = guard(|| opened.source.next())?;
        let first = first.ok_or_else(|| Error::bad_input("there is no frame in it"))?;
        let (mut width, mut height) = first.size();
        if opened.turns % 2 == 1 {
            (width, height) = (height, width);
        }
        // Matroska rounds the length of a frame to nanoseconds.
        let whole = |fps: f64| if (fps - fps.round()).abs() < 1e-5 { fps.round() } else { fps };
        opened.fps = opened.fps.map(whole).filter(|fps| fps.is_finite() && *fps > 0.0);
        Ok(Video {
            path: path.into(),
            opened,
            width,
            height,
            position: 0,
            first: Some(first),
            state: State::Running,
        })
    }

    /// Pixels in a row of every frame.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Rows of every frame.
    pub fn height(&self) -> usize {
        self.height
    }

    /// Frames per second on average; `None` for pictures, which have no time.
    pub fn fps(&self) -> Option<f64> {
        self.opened.fps
    }

    /// The number of frames, where the file tells; see [`Video::count`].
    pub fn frames(&self) -> Option<usize> {
        self.opened.frames
    }

    /// The container and codec in words.
    pub fn format(&self) -> &str {
        &self.opened.format
    }

    /// The number of frames already passed: the index of the next one.
    pub fn position(&self) -> usize {
        self.position
    }

    /// Where the video came from.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The number of frames. Where the file does not tell, this decodes it once from start to end.
    ///
    /// # Errors
    /// Those of [`open`] and [`Video::next_frame`].
    pub fn count(&mut self) -> Result<usize> {
        if self.opened.frames.is_none() {
            let mut again = open(&self.path)?;
            while again.skip_frame()? {}
            self.opened.frames = Some(again.position);
        }
        Ok(self.opened.frames.unwrap_or_default())
    }

    /// Goes back to the first frame.
    ///
    /// # Errors
    /// Those of [`open`].
    pub fn rewind(&mut self) -> Result<()> {
        if self.position > 0 {
            let frames = self.opened.frames;
            *self = open(&self.path)?;
            self.opened.frames = self.opened.frames.or(frames);
        }
        Ok(())
    }

    /// The next frame; `None` after the last.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] when the data is damaged or ends early; the text says after how
    /// many frames.
    pub fn next_frame(&mut self) -> Result<Option<Frame>> {
        let picture = match self.first.take() {
            Some(picture) => Some(picture),
            None => self.advance(|source| source.next())?,
        };
        let Some(picture) = picture else { return Ok(None) };
        let frame = picture.into_frame().turned(self.opened.turns);
        if (frame.width, frame.height) != (self.width, self.height) {
            return Err(self.fail(Error::bad_input(format!(
                "the size changes from {}x{} to {}x{}",
                self.width, self.height, frame.width, frame.height
            ))));
        }
        self.position += 1;
        Ok(Some(frame))
    }

    /// Passes over the next frame without making RGB of it, which is cheaper than [`Video::next_frame`];
    /// `false` after the last.
    ///
    /// # Errors
    /// Those of [`Video::next_frame`].
    pub fn skip_frame(&mut self) -> Result<bool> {
        let more = self.first.take().is_some()
            || self.advance(|source| source.skip().map(|more| more.then_some(())))?.is_some();
        self.position += usize::from(more);
        Ok(more)
    }

    /// One step of the source: its end and its errors are remembered, and where it meets what it cannot
    /// decode, `ffmpeg` takes over at the same frame.
    fn advance<T>(&mut self, step: impl Fn(&mut dyn Source) -> Step<Option<T>>) -> Result<Option<T>> {
        match &self.state {
            State::Running => {}
            State::Ended => return Ok(None),
            State::Failed(text) => return Err(Error::bad_input(text.clone())),
        }
        let mut result = guard(|| step(&mut *self.opened.source));
        if let Err(Refusal::Foreign(what)) = result {
            let position = self.position;
            result = ffmpeg::open(&self.path, &what).and_then(|opened| {
                (self.opened.source, self.opened.turns) = (opened.source, opened.turns);
                for _ in 0..position {
                    guard(|| self.opened.source.skip())?;
                }
                guard(|| step(&mut *self.opened.source))
            });
        }
        match result {
            Ok(Some(value)) => Ok(Some(value)),
            Ok(None) => match self.opened.frames {
                Some(frames) if self.position < frames => {
                    let text = format!("the data ends before frame {frames}, the last");
                    Err(self.fail(Error::bad_input(text)))
                }
                _ => {
                    self.state = State::Ended;
                    Ok(None)
                }
            },
            Err(Refusal::Bad(e)) => Err(self.fail(e)),
            Err(Refusal::Foreign(what)) => {
                Err(self.fail(Error::bad_input(format!("{what} cannot be decoded"))))
            }
        }
    }

    /// Places an error and makes it stay.
    fn fail(&mut self, e: Error) -> Error {
        let e = e.at(format!(
            "{}, after {} frame{}",
            self.path.display(),
            self.position,
            if self.position == 1 { "" } else { "s" }
        ));
        self.state = State::Failed(e.to_string());
        e
    }
}

impl fmt::Debug for Video {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Video { path, width, height, position, .. } = self;
        write!(f, "Video({}, {width}x{height}, at frame {position})", path.display())
    }
}
