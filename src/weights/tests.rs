//! Files of every kind: good, unusual and hostile.

use std::fs;

use super::testing::{golden, read_all, safetensors};
use super::*;
use crate::ErrorKind;
use crate::tensor::Tensor;

fn error(content: &[u8]) -> String {
    let e = read_all(content).unwrap_err();
    assert_eq!(e.kind(), ErrorKind::BadInput, "{e}");
    e.to_string()
}

fn save(tensors: &[(&str, Tensor)]) -> Vec<u8> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a");
    save_safetensors(&path, tensors).unwrap();
    fs::read(path).unwrap()
}

fn small() -> Vec<u8> {
    save(&[
        ("bytes", Tensor::new(&[3], vec![1u8, 2, 255]).unwrap()),
        ("half", Tensor::from_fn(&[1, 2], |i| i as f32 + 0.5).unwrap().to_f16()),
        ("floats", Tensor::from_fn(&[2, 2], |i| i as f32).unwrap()),
        ("index", Tensor::new(&[2], vec![-1, 7]).unwrap()),
    ])
}

#[test]
fn saved_tensors_are_read() {
    let read = read_all(&small()).unwrap();
    let text: Vec<String> = read.iter().map(|(name, t)| format!("{name} {t:?}")).collect();
    assert_eq!(text, ["bytes i32[3]", "floats f32[2, 2]", "half f32[1, 2]", "index i32[2]"]);
    assert_eq!(read[0].1.i32s().unwrap(), [1, 2, 255]);
    assert_eq!(read[1].1.f32s().unwrap(), [0.0, 1.0, 2.0, 3.0]);
    assert_eq!(read[2].1.f32s().unwrap(), [0.5, 1.5]);
    assert_eq!(read[3].1.i32s().unwrap(), [-1, 7]);
}

#[test]
fn names_that_cannot_be_saved_are_errors() {
    let dir = tempfile::tempdir().unwrap();
    let t = || Tensor::from_fn(&[1], |_| 0.0).unwrap();
    let bad = [vec![("", t())], vec![("__metadata__", t())], vec![("a", t()), ("a", t())]];
    for tensors in bad {
        let e = save_safetensors(dir.path().join("a"), &tensors).unwrap_err();
        assert_eq!(e.kind(), ErrorKind::Usage);
    }
    assert!(fs::read_dir(dir.path()).unwrap().next().is_none());
}

#[test]
fn unaligned_data_are_read() {
    let header = r#"{"b":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"f":{"dtype":"F32","shape":[2],"data_offsets":[1,9]}}"#;
    let mut data = vec![9];
    data.extend([1.5f32, -2.0].iter().flat_map(|x| x.to_le_bytes()));
    let read = read_all(&safetensors(header, &data)).unwrap();
    assert_eq!(read[1].1.f32s().unwrap(), [1.5, -2.0]);
}

#[test]
fn hostile_safetensors_are_errors() {
    let one = |shape: &str, end: &str| {
        safetensors(
            &format!(r#"{{"a":{{"dtype":"F32","shape":{shape},"data_offsets":[0,{end}]}}}}"#),
            &[0; 8],
        )
    };
    let huge = (1u64 << 61) - 1;
    let entries: Vec<String> = (0..8u64)
        .map(|i| {
            let (begin, end) = (i * huge, (i + 1) * huge);
            format!(r#""t{i}":{{"dtype":"U8","shape":[{huge}],"data_offsets":[{begin},{end}]}}"#)
        })
        .collect();
    let overflow = safetensors(&format!("{{{}}}", entries.join(",")), &[]);
    let dims = one(&format!("[{}1]", "1,".repeat(99_999)), "4");
    let name = format!(r#"{{"{}":{{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}}}"#, "n".repeat(1025));
    let a = r#""a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}"#;
    let many: Vec<String> = (0..=100_000)
        .map(|i| format!(r#""{i}":{{"dtype":"F32","shape":[0],"data_offsets":[0,0]}}"#))
        .collect();
    let mut long = small();
    long.push(0);
    let mut no_header = u64::MAX.to_le_bytes().to_vec();
    no_header.extend(b"{}");
    let cases: [(&[u8], &str); 17] = [
        (&overflow, "takes bytes"),
        (&dims, "has 100000 axes"),
        (&one("[4294967296,4294967296]", "8"), "overflows"),
        (&one("[2]", "12"), "is the file cut off?"),
        (&one("[2]", "18446744073709551615"), "takes bytes"),
        (&one("[2]", "18446744073709551616"), "malformed"),
        (&one("[-2]", "8"), "malformed"),
        (&one("[3]", "8"), "malformed"),
        (&one("[1,1,1,1,1,1,1,1,2]", "8"), "has 9 axes"),
        (&safetensors(&name, &[0; 8]), "a name of 1025 bytes"),
        (&safetensors(&format!("{{{a},{a}}}"), &[0; 8]), "the name \"a\" twice"),
        (&safetensors(&format!("{{{}}}", many.join(",")), &[]), "more than 100000 tensors"),
        (&safetensors(&"[".repeat(100_000).replacen('[', "{", 1), &[]), "malformed"),
        (&small()[..small().len() - 1], "is the file cut off?"),
        (&long, "has 32 bytes of data where"),
        (&no_header, "its beginning is not"),
        (b"\xff\xff\0\0\0\0\0\0{}", "its header alone should have 65535 bytes"),
    ];
    for (content, wanted) in cases {
        let found = error(content);
        assert!(found.contains(wanted), "{found:?} lacks {wanted:?}");
        assert!(found.len() < 600 && !found.contains('\n'), "{found}");
    }
}

#[test]
fn unsupported_types_are_listed_but_not_read() {
    let header = r#"{"a":{"dtype":"F8_E4M3","shape":[2],"data_offsets":[0,2]}}"#;
    let e = error(&safetensors(header, &[0; 2]));
    assert!(e.ends_with("tensor \"a\": has elements of type F8_E4M3, which cannot be read"), "{e}");
}

#[test]
fn other_files_are_named() {
    for (content, wanted) in [
        (&b""[..], "it is empty"),
        (b"just some text\n", "a text file"),
        (b"\0\0\0\x18ftypmp42", "an MP4"),
        (b"\x08\x03\x12\x02me", "ONNX"),
    ] {
        let e = error(content);
        assert!(e.contains(wanted) && e.contains("Read are safetensors files"), "{e}");
    }
    assert!(Checkpoint::open("/no/such/file").unwrap_err().to_string().starts_with("/no/such/file: cannot"));
}

#[test]
fn folders_are_read_with_parts_beside_their_index_only() {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, content: &[u8]| fs::write(dir.path().join(name), content).unwrap();
    let open = || Checkpoint::open(dir.path());
    assert!(open().unwrap_err().to_string().contains("the folder holds no weights"));

    let t = |v: f32| Tensor::from_fn(&[1], |_| v).unwrap();
    write("part1", &save(&[("a", t(1.0)), ("b", t(2.0))]));
    write("part2", &save(&[("b", t(3.0))]));
    let index = "model.safetensors.index.json";
    write(index, br#"{"metadata": {}, "weight_map": {"a": "part1", "b": "part2"}}"#);
    let checkpoint = open().unwrap();
    assert_eq!(checkpoint.format(), "safetensors in parts");
    let value = |name: &str| checkpoint.tensor(name).unwrap().f32s().unwrap()[0];
    assert_eq!((value("a"), value("b")), (1.0, 3.0));
    assert_eq!(Checkpoint::open(dir.path().join(index)).unwrap().entries().len(), 2);

    for (map, wanted) in [
        (r#"{"a": "../part1"}"#, "not a file beside it"),
        (r#"{"a": "/etc/passwd"}"#, "not a file beside it"),
        (r#"{"a": ".."}"#, "not a file beside it"),
        (r#"{"a": ""}"#, "not a file beside it"),
        (r#"{"a": "none"}"#, "part \"none\": cannot be read"),
        (r#"{"a": "part2"}"#, "which lacks it"),
        (r#"["a"]"#, "is no index of weights"),
    ] {
        write(index, format!(r#"{{"weight_map": {map}}}"#).as_bytes());
        let e = open().unwrap_err().to_string();
        assert!(e.contains(wanted), "{e:?} lacks {wanted:?}");
    }
    write("model.safetensors", &save(&[("whole", t(4.0))]));
    assert_eq!(open().unwrap().entries()[0].name, "whole");
}

const PTH: [(&str, &str); 6] = [
    ("zip.pth", "PyTorch (zip)"),
    ("legacy.pth", "PyTorch (before 1.6)"),
    ("nested_f16.pyth", "PyTorch (zip)"),
    ("lightning.ckpt", "PyTorch (zip)"),
    ("module.pt", "PyTorch (zip)"),
    ("strided_bf16_f64.pth", "PyTorch (before 1.6)"),
];

#[cfg(feature = "pth")]
#[test]
fn every_form_of_pth_is_read() {
    for (name, format) in PTH {
        let checkpoint = Checkpoint::open(golden(name)).unwrap();
        assert_eq!(checkpoint.format(), format, "{name}");
        let names: Vec<&str> = checkpoint.entries().iter().map(|e| e.name.as_str()).collect();
        let wanted = [
            "bn.bias",
            "bn.num_batches_tracked",
            "bn.running_mean",
            "bn.running_var",
            "bn.weight",
            "conv1.bias",
            "conv1.weight",
            "fc.bias",
            "fc.weight",
        ];
        assert_eq!(names, wanted, "{name}");
        assert_eq!(checkpoint.entry("conv1.weight").unwrap().shape, [3, 2, 1, 2, 2]);
        for entry in checkpoint.entries() {
            let t = checkpoint.tensor(&entry.name).unwrap();
            if entry.name == "bn.num_batches_tracked" {
                assert_eq!(t.i32s().unwrap(), [5]);
            } else {
                let wanted: Vec<f32> =
                    (0..t.shape().elements()).map(|i| (i % 17) as f32 / 8.0 - 1.0).collect();
                assert_eq!(t.f32s().unwrap(), wanted, "{name} {}", entry.name);
            }
        }
    }
    let half = Checkpoint::open(golden("nested_f16.pyth")).unwrap();
    assert_eq!(half.entry("fc.weight").unwrap().dtype, "f16");
}

#[cfg(feature = "pth")]
#[test]
fn pickles_without_tensors_are_named() {
    // What `pickle.dumps({"blobs": {}}, protocol=2)` gives.
    let e = error(b"\x80\x02}q\x00X\x05\x00\x00\x00blobsq\x01}q\x02s.");
    assert!(e.contains("Caffe2"), "{e}");
    let e = error(b"PK\x03\x04 and nothing else");
    assert!(e.contains("is no readable PyTorch file"), "{e}");
}

#[cfg(not(feature = "pth"))]
#[test]
fn without_the_feature_pth_files_are_named() {
    let e = Checkpoint::open(golden("zip.pth")).unwrap_err().to_string();
    assert!(e.contains("feature `pth`"), "{e}");
}

/// Every small file, with bytes flipped at random and cut off anywhere, is read or refused.
#[test]
fn no_damaged_file_panics() {
    let files = PTH.iter().map(|(name, _)| fs::read(golden(name)).unwrap()).chain([small()]);
    let mut state = 1u64;
    let mut below = |n: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % n
    };
    for good in files {
        for _ in 0..300 {
            let mut bad = good.clone();
            for _ in 0..=below(3) {
                let at = below(bad.len());
                bad[at] = match below(3) {
                    0 => bad[at] ^ (1 << below(8)),
                    1 => 0xff,
                    _ => below(256) as u8,
                };
            }
            if below(8) == 0 {
                bad.truncate(below(bad.len()));
            }
            if let Err(e) = read_all(&bad) {
                let text = e.to_string();
                assert!(!text.contains("the reader gave up"), "{text}");
            }
        }
    }
}

#[test]
fn weights_are_cut_and_joined_along_the_first_axis() {
    let w = Weights::random(3);
    let all = w.take("qkv", &[6, 2]).unwrap();
    let parts: Vec<Weight> = [0..2, 2..3, 3..6].into_iter().map(|r| all.rows(r).unwrap()).collect();
    assert_eq!(parts[2].shape()[..], [3, 2]);
    assert_eq!(parts[1].tensor().unwrap().f32s().unwrap(), &all.tensor().unwrap().f32s().unwrap()[4..6]);
    let joined = Weight::join(&parts).unwrap();
    assert_eq!(joined.tensor().unwrap().f32s().unwrap(), all.tensor().unwrap().f32s().unwrap());
    assert_eq!(joined.name(), "qkv");
    let unknown = Weights::shapes().take("k", &[1, 2]).unwrap();
    let joined = Weight::join(&[all.clone(), unknown]).unwrap();
    assert_eq!((&joined.shape()[..], joined.tensor().is_none()), (&[7, 2][..], true));
    let zeros = Weight::zeros("none", &[3, 2]).unwrap();
    assert_eq!(zeros.tensor().unwrap().f32s().unwrap(), [0.0; 6]);
    let e = Weight::join(&[all.clone(), w.take("v", &[2, 3]).unwrap()]).unwrap_err().to_string();
    assert!(e.contains("cannot be joined: [6, 2] and [2, 3]"), "{e}");
    assert!(all.rows(5..7).unwrap_err().to_string().contains("qkv"));
    assert!(Weight::join(&[]).is_err());
}

#[test]
fn weights_in_parts_and_over_again() {
    let w = Weights::random(3).take("qkv.weight", &[6, 2]).unwrap();
    let all = w.tensor().unwrap().f32s().unwrap().to_vec();
    let parts = w.clone().chunk(3).unwrap();
    let joined: Vec<f32> = parts.iter().flat_map(|p| p.tensor().unwrap().f32s().unwrap().to_vec()).collect();
    assert_eq!(joined, all);
    assert_eq!(parts[1].shape()[..], [2, 2]);
    let e = w.clone().chunk(4).unwrap_err().to_string();
    assert!(e.starts_with("qkv.weight: 4 parts"), "{e}");

    let tiled = w.tile(2).unwrap();
    assert_eq!(tiled.shape()[..], [6, 4]);
    let rows: Vec<f32> = all.chunks(2).flat_map(|row| [row, row].concat()).collect();
    assert_eq!(tiled.tensor().unwrap().f32s().unwrap(), rows);

    // Without values there are still shapes.
    let w = Weights::shapes();
    assert_eq!(w.take("w", &[4, 3]).unwrap().chunk(2).unwrap()[0].shape()[..], [2, 3]);
    assert_eq!(w.take("w", &[4, 3]).unwrap().tile(3).unwrap().shape()[..], [4, 9]);
    assert_eq!(w.length("w", 0), None);
}
