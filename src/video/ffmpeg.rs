//! Everything this crate does not decode itself, through an `ffmpeg` process.

use std::ffi::OsString;
use std::fs::File;
use std::io::{BufReader, ErrorKind, Read, Seek};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use super::color::{Color, Matrix};
use super::y4m::Stream;
use super::{Opened, Picture, Source, Step};
use crate::error::{Error, Result};

/// Runs `ffmpeg` on a file; `what` says what the file holds, for errors.
pub(super) fn open(path: &Path, what: &str) -> Step<Opened> {
    let internal = |e: std::io::Error| Error::internal(format!("no file for the messages of ffmpeg: {e}"));
    let messages = tempfile::tempfile().map_err(internal)?;
    // Without the prefix, a name like `a:b.avi` or `-i` would not be taken for a file.
    let mut input = OsString::from("file:");
    input.push(path);
    let mut command = Command::new("ffmpeg");
    command.args(["-v", "error", "-nostdin", "-protocol_whitelist", "file", "-i"]).arg(input);
    command.args(["-map", "0:v:0", "-fps_mode", "passthrough"]);
    // The pipe does not carry the matrix, so one is chosen here.
    command.args(["-vf", "scale=out_color_matrix=bt601:out_range=tv"]);
    command.args(["-f", "yuv4mpegpipe", "-pix_fmt", "yuv420p", "-"]);
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    command.stderr(messages.try_clone().map_err(internal)?);
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
    let mut process = Process { child, messages, what: what.into() };
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

struct Process {
    child: Child,
    messages: File,
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
        Err(Error::bad_input(format!("this is {}; ffmpeg says: {}", self.what, first.unwrap_or("nothing"))))
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
