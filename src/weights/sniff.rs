//! What a file is, by its first bytes.

/// How many of the first bytes [`kind`] wants.
pub(super) const HEAD: usize = 4096;

/// A kind of file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Safetensors,
    ShardIndex,
    Pth,
    /// Another, described for a message.
    Other(&'static str),
}

/// The magic number of PyTorch before 1.6, as a binary and as a text pickle writes it.
const LEGACY: [&[u8]; 2] = [b"\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19", b"119547037146038801333356"];

/// Beginnings that tell what a file is.
const BEGINNINGS: [(&[u8], &str); 22] = [
    (b"GGUF", "a GGUF file"),
    (b"\x93NUMPY", "a NumPy .npy array, which is one tensor without a name"),
    (b"\x89HDF\r\n", "an HDF5 file (Keras or MATLAB)"),
    (b"MATLAB 5.0", "a MATLAB file"),
    (b"\x1f\x8b", "a gzip archive; unpack it first"),
    (b"BZh", "a bzip2 archive; unpack it first"),
    (b"\xfd7zXZ", "an xz archive; unpack it first"),
    (b"\x28\xb5\x2f\xfd", "a zstd archive; unpack it first"),
    (b"7z\xbc\xaf", "a 7-zip archive; unpack it first"),
    (b"Rar!", "a rar archive; unpack it first"),
    (b"version https://git-lfs", "a Git LFS pointer; fetch the file itself with `git lfs pull`"),
    (b"<!DOCTYPE", "a web page; the download went wrong"),
    (b"<!doctype", "a web page; the download went wrong"),
    (b"<html", "a web page; the download went wrong"),
    (b"\x1a\x45\xdf\xa3", "a Matroska or WebM video"),
    (b"RIFF", "an AVI video or a WebP picture"),
    (b"\x89PNG", "a PNG picture"),
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"GIF8", "a GIF picture"),
    (b"YUV4MPEG2", "a raw .y4m video"),
    (b"%PDF", "a PDF document"),
    (b"\x7fELF", "a program"),
];

/// What a file beginning with `head` is.
pub(super) fn kind(head: &[u8]) -> Kind {
    let at = |offset: usize, magic: &[u8]| head.get(offset..).is_some_and(|h| h.starts_with(magic));
    if head.is_empty() {
        return Kind::Other("it is empty");
    }
    // A length of eight bytes, then JSON; no text has the high bytes of the length zero.
    if at(5, b"\0\0\0{") {
        return Kind::Safetensors;
    }
    let legacy = head.get(..64).unwrap_or(head);
    if at(0, b"PK\x03\x04")
        || at(257, b"ustar")
        || LEGACY.iter().any(|magic| legacy.windows(magic.len()).any(|w| w == *magic))
        || matches!(head, [0x80, 2..=5, ..])
    {
        return Kind::Pth;
    }
    if at(4, b"ftyp") {
        return Kind::Other("an MP4 or QuickTime video");
    }
    if let Some((_, what)) = BEGINNINGS.iter().find(|(magic, _)| at(0, magic)) {
        return Kind::Other(what);
    }
    let text = match std::str::from_utf8(head) {
        Ok(text) => text,
        // A character cut by the end of the head.
        Err(e) if e.error_len().is_none() => std::str::from_utf8(&head[..e.valid_up_to()]).unwrap_or(""),
        Err(_) => "",
    };
    if !text.is_empty() && !text.contains(|c: char| c.is_control() && !c.is_whitespace()) {
        let json = text.trim_start().starts_with('{');
        let index = text.contains("\"weight_map\"");
        return match (json, index) {
            (true, true) => Kind::ShardIndex,
            (true, false) => Kind::Other("a JSON file"),
            _ => Kind::Other("a text file"),
        };
    }
    match *head {
        // The first field of ONNX's ModelProto is the number of its version, the second a text.
        [0x08, 1..=31, 0x12 | 0x1a | 0x22 | 0x3a | 0x42, ..] => Kind::Other("it looks like an ONNX model"),
        [0x0a, ..] => Kind::Other("it looks like a Caffe or TensorFlow model (protocol buffers)"),
        _ => Kind::Other("its beginning is not that of any known weight file"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_told_by_content() {
        assert_eq!(kind(b"\x10\0\0\0\0\0\0\0{\"a\":"), Kind::Safetensors);
        assert_eq!(kind(b"PK\x03\x04\0\0"), Kind::Pth);
        assert_eq!(kind(b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19."), Kind::Pth);
        assert_eq!(kind(b"{\"metadata\": {}, \"weight_map\": {}}"), Kind::ShardIndex);
        for (head, what) in [
            (&b""[..], "empty"),
            (b"{\"id2label\": {}}", "JSON"),
            (b"hello\n", "text file"),
            ("grüße\n".as_bytes(), "text file"),
            (b"\0\0\0\x20ftypisom", "MP4"),
            (b"\x08\x07\x12\x07pytorch", "ONNX"),
            (b"\x0a\x03C3D\x10\0", "Caffe"),
            (b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
            (b"<!DOCTYPE html>", "download went wrong"),
            (b"\x01\x02\x03", "not that of any known"),
        ] {
            assert!(matches!(kind(head), Kind::Other(w) if w.contains(what)), "{what}: {:?}", kind(head));
        }
    }
}
