//! Everything this crate does not decode itself, and mp4 files to write, through an `ffmpeg` process.

use std::ffi::OsString;
use std::fs::File;
use std::io::{BufReader, ErrorKind, Read, Seek, Write};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use super::color::{Color, Matrix};
use super::y4m::Stream;
use super::{Frame, Opened, Picture, Source, Step};
use crate::error::{Error, Result};

/// Runs `ffmpeg` on a file; `what` says what the file holds, for errors.
pub(super) fn open(path: &Path, what: &str) -> Step<Opened> {
    let input = file_name(path);
    let mut command = Command::new("ffmpeg");
    command.args(["-v", "error", "-nostdin", "-protocol_whitelist", "file", "-i"]).arg(input);
    command.args(["-map", "0:v:0", "-fps_mode", "passthrough"]);
    // The pipe does not carry the matrix, so one is chosen here.
    command.args(["-vf", "scale=out_color_matrix=bt601:out_range=tv"]);
    command.args(["-f", "yuv4mpegpipe", "-pix_fmt", "yuv420p", "-"]);
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    let messages = messages_of(&mut command)?;
    let mut child = command.spawn().map_err(|e| {
        let name = path.display();
        let why = match e.kind() {
            ErrorKind::NotFound => "it needs ffmpeg, which is not on the PATH".into(),
            _ => format!("ffmpeg, which it needs, does not start: {e}"),
        };
        Error::bad_input(format!(
            "this is {what}; {why}: install it, or convert the file elsewhere: \
             ffmpeg -i '{name}' -c:v libx264 -pix_fmt yuv420p out.mp4"
        ))
    })?;
    let output = child.stdout.take().ok_or_else(|| Error::internal("no pipe from ffmpeg"))?;
    let mut process = Process { child, messages, what: format!("this is {what}") };
    let color = Color { matrix: Some(Matrix::BT601), full_range: Some(false) };
    match Stream::new(BufReader::with_capacity(1 << 16, output), color) {
        Ok(stream) => {
            let fps = stream.fps();
            let source = Box::new(Piped { stream, process });
            Ok(Opened { source, format: format!("{what}, by ffmpeg"), fps, frames: None, turns: 0 })
        }
        Err(refusal) => {
            process.finish()?;
            Err(refusal)
        }
    }
}

/// That there is an `ffmpeg` to write with.
pub(super) fn check() -> Result<()> {
    let mut command = Command::new("ffmpeg");
    command.arg("-version").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().map(drop).map_err(|e| missing(&e))
}

fn missing(e: &std::io::Error) -> Error {
    let why = match e.kind() {
        ErrorKind::NotFound => "which is not on the PATH: install the package ffmpeg".into(),
        _ => format!("which does not start ({e})"),
    };
    Error::usage(format!("mp4 is written by ffmpeg, {why}, or write a .gif"))
}

/// Writes frames as H.264 into the file `path`, which is overwritten.
pub(super) fn encode(path: &Path, fps: f64, mut frames: impl Iterator<Item = Result<Frame>>) -> Result<()> {
    let first = frames.next().ok_or_else(|| Error::bad_input("a video needs at least one frame"))??;
    let size = (first.width(), first.height());
    let mut command = Command::new("ffmpeg");
    command.args(["-v", "error", "-y", "-f", "rawvideo", "-pix_fmt", "rgb24", "-s"]);
    command.arg(format!("{}x{}", size.0, size.1)).args(["-r", &fps.to_string(), "-i", "-"]);
    // H.264 in 4:2:0 has even sides; the matrix is the one that is assumed where a file names none.
    command.args(["-vf", "pad=ceil(iw/2)*2:ceil(ih/2)*2,scale=out_color_matrix=bt601:out_range=tv"]);
    command.args(["-c:v", "libx264", "-crf", "16", "-pix_fmt", "yuv420p", "-movflags", "+faststart"]);
    command.args(["-f", "mp4"]).arg(file_name(path));
    command.stdin(Stdio::piped()).stdout(Stdio::null());
    let messages = messages_of(&mut command)?;
    let mut child = command.spawn().map_err(|e| missing(&e))?;
    let input = child.stdin.take();
    let mut process = Process { child, messages, what: "the mp4 cannot be made".into() };
    let mut input = input.ok_or_else(|| Error::internal("no pipe to ffmpeg"))?;
    for (i, frame) in std::iter::once(Ok(first)).chain(frames).enumerate() {
        let frame = frame?;
        if (frame.width(), frame.height()) != size {
            let (w, h) = (frame.width(), frame.height());
            let text = format!("frame {i} is {w}x{h}, the first {}x{}", size.0, size.1);
            return Err(Error::bad_input(text));
        }
        if let Err(e) = input.write_all(frame.rgb()) {
            // It has ended and says why.
            drop(input);
            process.finish()?;
            return Err(Error::internal(format!("ffmpeg takes no more frames: {e}")));
        }
    }
    drop(input);
    process.finish()
}

/// Without the prefix, a name like `a:b.avi` or `-i` would not be taken for a file.
fn file_name(path: &Path) -> OsString {
    let mut name = OsString::from("file:");
    name.push(path);
    name
}

/// A file that takes a command's messages.
fn messages_of(command: &mut Command) -> Result<File> {
    let internal = |e: std::io::Error| Error::internal(format!("no file for the messages of ffmpeg: {e}"));
    let messages = tempfile::tempfile().map_err(internal)?;
    command.stderr(messages.try_clone().map_err(internal)?);
    Ok(messages)
}

struct Process {
    child: Child,
    messages: File,
    /// What is told before the messages.
    what: String,
}

impl Process {
    /// Waits for the process; its failure is an error in its own words.
    fn finish(&mut self) -> Result<()> {
        let status = self.child.wait().map_err(|e| Error::internal(format!("ffmpeg: {e}")))?;
        let mut text = Vec::new();
        let _ = self.messages.rewind();
        let _ = (&mut self.messages).take(1 << 16).read_to_end(&mut text);
        let text = String::from_utf8_lossy(&text);
        // Messages begin with the part that speaks and its address: `[mov @ 0x55d0] moov atom not found`.
        let first =
            text.lines().find(|line| !line.trim().is_empty()).map(|line| match line.split_once("] ") {
                Some((part, message)) if part.starts_with('[') && part.contains(" @ 0x") => message,
                _ => line,
            });
        if status.success() {
            if let Some(first) = first {
                log::warn!("ffmpeg: {first}");
            }
            return Ok(());
        }
        Err(Error::bad_input(format!("{}; ffmpeg says: {}", self.what, first.unwrap_or("nothing"))))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

struct Piped {
    stream: Stream<BufReader<ChildStdout>>,
    process: Process,
}

impl Source for Piped {
    fn next(&mut self) -> Step<Option<Picture>> {
        let picture = self.stream.next()?;
        if picture.is_none() {
            self.process.finish()?;
        }
        Ok(picture)
    }

    fn skip(&mut self) -> Step<bool> {
        let more = self.stream.skip()?;
        if !more {
            self.process.finish()?;
        }
        Ok(more)
    }
}
