//! Every kernel, in every configuration that a case uses, without a device: valid WGSL, SPIR-V for Vulkan, MSL
//! for Metal and HLSL for DX12, and the conventions that `kernels/` follows.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use kinetograph::Precision;
use kinetograph::gpu::{Kernel, LIB, Matrices, Tunes};
use kinetograph::graph::{Dispatch, Operand, Traits};
use kinetograph::verify::cases;
use naga::{
    AddressSpace, Block, Function, GlobalVariable, Handle, Module, ShaderStage, Statement, StorageAccess,
};

/// What WebGPU grants everywhere.
const MOST_INVOCATIONS: u32 = 256;
const MOST_WORKGROUP_BYTES: u32 = 16 << 10;
/// What devices with cooperative matrices have at least.
const MOST_COOPERATIVE_BYTES: u32 = 32 << 10;
const MOST_STORAGE_BUFFERS: usize = 8;
const MOST_UNIFORM_BYTES: u32 = 64 << 10;

/// One pipeline: a kernel's entry point with its constants, and what the host believes about it.
#[derive(Clone)]
struct Pipeline {
    kernel: &'static Kernel,
    entry: String,
    tunes: Tunes,
    constants: BTreeMap<&'static str, f64>,
    fields: Vec<(&'static str, usize)>,
    operands: Vec<Operand>,
}

impl Pipeline {
    fn of(dispatch: &Dispatch) -> Pipeline {
        Pipeline {
            kernel: dispatch.kernel(),
            entry: dispatch.entry().to_owned(),
            tunes: dispatch.tunes().clone(),
            constants: dispatch.constants().collect(),
            fields: dispatch.fields().to_vec(),
            operands: dispatch.operands().to_vec(),
        }
    }

    /// Whether only devices with cooperative matrices run it.
    fn cooperative(&self) -> bool {
        self.kernel.name.ends_with("_cooperative")
    }

    /// Whether invocations exchange values within subgroups.
    fn shuffled(&self) -> bool {
        self.kernel.name.ends_with("_lanes")
            || self.tunes.get("SHARING").is_some_and(|file| file == "shuffled")
    }

    fn key(&self) -> String {
        let what = (self.kernel.name, &self.entry, &self.tunes, &self.constants);
        format!("{what:?} {:?} {:?}", self.fields, self.operands)
    }

    /// Everything that can be said of a pipeline without a device.
    fn check(&self) -> Result<(), String> {
        let (module, info) =
            self.kernel.expand(&self.tunes).and_then(|e| e.parse()).map_err(|e| e.to_string())?;
        let stage = (ShaderStage::Compute, self.entry.as_str());
        let names = module.entry_points.iter().map(|e| e.name.as_str()).collect::<Vec<_>>();
        if !names.contains(&self.entry.as_str()) {
            return Err(format!("no entry point `{}` among {names:?}", self.entry));
        }
        let constants = self.constants.iter().map(|(k, v)| ((*k).to_owned(), *v)).collect();
        let (module, info) =
            naga::back::pipeline_constants::process_overrides(&module, &info, Some(stage), &constants)
                .map_err(|e| format!("override constants: {e}"))?;
        let at = module.entry_points.iter().position(|e| e.name == self.entry);
        let at = at.ok_or("the entry point went missing with the override constants")?;
        let entry = &module.entry_points[at];
        let uses = info.get_entry_point(at);
        let used = |h: Handle<GlobalVariable>| !uses[h].is_empty();
        self.bindings(&module, used)?;

        let [x, y, z] = entry.workgroup_size;
        if x * y * z > MOST_INVOCATIONS || z > 64 {
            return Err(format!("a workgroup of {x} × {y} × {z} invocations"));
        }
        let of_workgroup =
            module.global_variables.iter().filter(|(h, g)| g.space == AddressSpace::WorkGroup && used(*h));
        let bytes: u32 = of_workgroup.map(|(_, g)| module.types[g.ty].inner.size(module.to_ctx())).sum();
        let most = if self.cooperative() { MOST_COOPERATIVE_BYTES } else { MOST_WORKGROUP_BYTES };
        if bytes > most {
            return Err(format!("{bytes} bytes of workgroup memory"));
        }
        returns_before_barriers(&module, &entry.function)?;
        self.emit(&module, &info)
    }

    /// Params first, then inputs, outputs last; all of them and no others.
    fn bindings(&self, module: &Module, used: impl Fn(Handle<GlobalVariable>) -> bool) -> Result<(), String> {
        let mut found = BTreeMap::new();
        for (_, global) in module.global_variables.iter().filter(|(h, _)| used(*h)) {
            let Some(binding) = &global.binding else { continue };
            if binding.group != 0 {
                return Err(format!("binding {} is in group {}", binding.binding, binding.group));
            }
            if found.insert(binding.binding, global).is_some() {
                return Err(format!("binding {} is used under two names", binding.binding));
            }
        }
        let bound = || (1u32..).zip(&self.operands).filter(|(_, operand)| **operand != Operand::Unused);
        let wanted: Vec<u32> = [0].into_iter().chain(bound().map(|(at, _)| at)).collect();
        if !found.keys().eq(&wanted) {
            return Err(format!("bindings {:?}, the host has {wanted:?}", found.keys().collect::<Vec<_>>()));
        }
        let params = found[&0];
        if params.space != AddressSpace::Uniform || params.name.as_deref() != Some("params") {
            return Err("binding 0 is not the uniform `params`".into());
        }
        let naga::TypeInner::Struct { members, span } = &module.types[params.ty].inner else {
            return Err("`params` is not a struct".into());
        };
        let theirs: Vec<_> =
            members.iter().map(|m| (m.name.as_deref().unwrap_or(""), m.offset as usize)).collect();
        if theirs != self.fields || theirs.first() != Some(&("first_group", 0)) {
            return Err(format!("Params has {theirs:?}, the host has {:?}", self.fields));
        }
        if *span > MOST_UNIFORM_BYTES {
            return Err(format!("{span} bytes of params"));
        }
        let mut written = Vec::new();
        for ((_, operand), (at, global)) in bound().zip(found.iter().skip(1)) {
            let access = match global.space {
                AddressSpace::Storage { access } => access,
                other => return Err(format!("binding {at} is in {other:?}")),
            };
            let stores = access.contains(StorageAccess::STORE);
            written.push(stores);
            let output = matches!(operand, Operand::Output(_));
            if stores != output && !matches!(operand, Operand::Scratch(_)) {
                return Err(format!("binding {at} is {access:?}, the host binds {operand:?}"));
            }
        }
        if !written.is_sorted() || !written.contains(&true) {
            return Err(format!("what is written must come last: {:?}", self.operands));
        }
        if bound().count() > MOST_STORAGE_BUFFERS {
            return Err(format!("{} storage buffers", bound().count()));
        }
        Ok(())
    }

    /// Writes SPIR-V, MSL and HLSL, with the checks that wgpu has written in.
    fn emit(&self, module: &Module, info: &naga::valid::ModuleInfo) -> Result<(), String> {
        use naga::back::{hlsl, msl, spv};
        use naga::proc::{BoundsCheckPolicies, BoundsCheckPolicy};
        let bounds_check_policies = BoundsCheckPolicies {
            index: BoundsCheckPolicy::Restrict,
            buffer: BoundsCheckPolicy::Restrict,
            image_load: BoundsCheckPolicy::Unchecked,
            binding_array: BoundsCheckPolicy::Unchecked,
        };
        let stage = ShaderStage::Compute;
        let mut options = spv::Options { bounds_check_policies, ..spv::Options::default() };
        if self.shuffled() {
            options.lang_version = (1, 3);
        }
        let pipeline = spv::PipelineOptions { shader_stage: stage, entry_point: self.entry.clone() };
        let words =
            spv::write_vec(module, info, &options, Some(&pipeline)).map_err(|e| format!("SPIR-V: {e}"))?;
        if self.cooperative() {
            // naga writes cooperative matrices for Vulkan, and for Metal in a size that the cases do not take.
            let begins = words.first() == Some(&0x0723_0203);
            return if begins { Ok(()) } else { Err("the SPIR-V writer gave nothing".into()) };
        }

        // What macOS 10.15 has.
        let options = msl::Options { lang_version: (2, 2), bounds_check_policies, ..msl::Options::default() };
        let pipeline =
            msl::PipelineOptions { entry_point: Some((stage, self.entry.clone())), ..Default::default() };
        let (metal, names) =
            msl::write_string(module, info, &options, &pipeline).map_err(|e| format!("MSL: {e}"))?;
        let mut names = names
            .entry_point_names
            .into_iter()
            .collect::<Result<Vec<_>, _>>()
            .map_err(|e| format!("MSL: {e}"))?;

        // The compiler that comes with Windows ends at 5.1; subgroups begin with 6.0, 16-bit floats with 6.2.
        let half = self.tunes.values().any(|v| v.contains("f16"));
        let shader_model = match (half, self.shuffled()) {
            (true, _) => hlsl::ShaderModel::V6_2,
            (_, true) => hlsl::ShaderModel::V6_0,
            _ => hlsl::ShaderModel::V5_1,
        };
        let options = hlsl::Options { shader_model, ..hlsl::Options::default() };
        let pipeline = hlsl::PipelineOptions { entry_point: Some((stage, self.entry.clone())) };
        let mut direct = String::new();
        let reflection = hlsl::Writer::new(&mut direct, &options, &pipeline)
            .write(module, info, None)
            .map_err(|e| format!("HLSL: {e}"))?;
        for name in reflection.entry_point_names {
            names.push(name.map_err(|e| format!("HLSL: {e}"))?);
        }
        if words.first() != Some(&0x0723_0203) || names.len() != 2 {
            return Err(format!("a writer gave nothing: {names:?}"));
        }
        match [(&metal, &names[0]), (&direct, &names[1])]
            .into_iter()
            .find(|(text, name)| !text.contains(*name))
        {
            Some((_, name)) => Err(format!("a writer left out {name}")),
            None => Ok(()),
        }
    }
}

/// Whether a function, or one that it calls, has a barrier.
fn has_barrier(module: &Module, block: &Block) -> bool {
    block.iter().any(|s| match s {
        Statement::ControlBarrier(_) | Statement::WorkGroupUniformLoad { .. } => true,
        Statement::Call { function, .. } => has_barrier(module, &module.functions[*function].body),
        s => inner_blocks(s).into_iter().any(|b| has_barrier(module, b)),
    })
}

fn has_return(block: &Block) -> bool {
    block.iter().any(|s| matches!(s, Statement::Return { .. }) || inner_blocks(s).into_iter().any(has_return))
}

fn inner_blocks(statement: &Statement) -> Vec<&Block> {
    match statement {
        Statement::Block(b) => vec![b],
        Statement::If { accept, reject, .. } => vec![accept, reject],
        Statement::Switch { cases, .. } => cases.iter().map(|c| &c.body).collect(),
        Statement::Loop { body, continuing, .. } => vec![body, continuing],
        _ => Vec::new(),
    }
}

/// naga lets an invocation return while others wait at a barrier; WGSL does not.
fn returns_before_barriers(module: &Module, function: &Function) -> Result<(), String> {
    fn walk(module: &Module, block: &Block, returned: &mut bool) -> bool {
        for s in block {
            let own = matches!(s, Statement::ControlBarrier(_) | Statement::WorkGroupUniformLoad { .. });
            let called = matches!(s, Statement::Call { function, .. }
                if has_barrier(module, &module.functions[*function].body));
            // A loop comes round to its barrier again.
            let looped =
                matches!(s, Statement::Loop { body, .. } if has_barrier(module, body) && has_return(body));
            if looped || (*returned && (own || called)) {
                return false;
            }
            *returned |= matches!(s, Statement::Return { .. });
            if !inner_blocks(s).into_iter().all(|b| walk(module, b, returned)) {
                return false;
            }
        }
        true
    }
    let mut tree = vec![function];
    let mut seen = BTreeSet::new();
    while let Some(function) = tree.pop() {
        if !walk(module, &function.body, &mut false) {
            let name = function.name.as_deref().unwrap_or("the entry point");
            return Err(format!("{name} may return before a barrier"));
        }
        tree.extend(
            calls(&function.body).into_iter().filter(|h| seen.insert(*h)).map(|h| &module.functions[h]),
        );
    }
    Ok(())
}

fn calls(block: &Block) -> Vec<Handle<Function>> {
    let of = |s: &Statement| match s {
        Statement::Call { function, .. } => vec![*function],
        s => inner_blocks(s).into_iter().flat_map(calls).collect(),
    };
    block.iter().flat_map(of).collect()
}

/// Cooperative matrices of an NVIDIA card and of Mesa's llvmpipe, and none.
const MATRICES: [Option<Matrices>; 3] =
    [None, Some(Matrices { size: 16, subgroup: 32 }), Some(Matrices { size: 8, subgroup: 8 })];

/// Every pipeline of every case, once, with the name of a case that uses it.
fn pipelines() -> BTreeMap<String, (String, Pipeline)> {
    let mut all = BTreeMap::new();
    for case in cases::all() {
        for precision in [Precision::F32, Precision::F16] {
            let configurations = case.configurations(precision).into_iter();
            let kinds = if precision == Precision::F16 { &MATRICES[..] } else { &[None] };
            let with_matrices =
                configurations.flat_map(|t| kinds.iter().map(move |&m| Traits { matrices: m, ..t }));
            for traits in with_matrices.flat_map(|t| [t, Traits { subgroups: true, ..t }]) {
                for dispatch in case.dispatches(traits).unwrap() {
                    let pipeline = Pipeline::of(&dispatch);
                    all.entry(pipeline.key()).or_insert_with(|| (case.name.clone(), pipeline));
                }
            }
        }
    }
    all
}

/// The kernel files of a folder, by stem.
fn files(folder: &str) -> Vec<Kernel> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|e| e == "wgsl") {
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned().leak();
            files.push(Kernel { name, text: fs::read_to_string(&path).unwrap().leak() });
        }
    }
    assert!(!files.is_empty());
    files.sort_by_key(|k| k.name);
    files
}

fn imports(text: &str) -> impl Iterator<Item = &str> {
    let names = text.lines().filter_map(|l| l.strip_prefix("#import "));
    names.map(|n| n.split("//").next().unwrap_or(n).trim())
}

fn report(problems: &[String]) {
    assert!(problems.is_empty(), "{} problems:\n{}", problems.len(), problems.join("\n"));
}

#[test]
fn every_pipeline_of_every_case_compiles_for_every_back_end() {
    let all: Vec<_> = pipelines().into_values().collect();
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let problems: Vec<String> = std::thread::scope(|scope| {
        let parts = all.chunks(all.len().div_ceil(threads)).map(|part| {
            scope.spawn(move || {
                let failed = part.iter().filter_map(|(case, p)| Some((case, p, p.check().err()?)));
                failed
                    .map(|(case, p, e)| format!("{case}: {} {:?} {:?}: {e}", p.entry, p.tunes, p.constants))
                    .collect::<Vec<_>>()
            })
        });
        let parts: Vec<_> = parts.collect();
        parts.into_iter().flat_map(|p| p.join().unwrap()).collect()
    });
    println!("{} pipelines", all.len());
    report(&problems);
}

#[test]
fn every_kernel_file_keeps_the_conventions() {
    let used: BTreeSet<String> = pipelines().into_values().map(|(_, p)| p.entry).collect();
    let mut problems = Vec::new();
    for kernel in files("kernels") {
        let name = kernel.name;
        let mut wrong = |what: String| problems.push(format!("kernels/{name}.wgsl: {what}"));
        if !kernel.text.starts_with(&format!("// {name}: ")) {
            wrong(format!("must begin with `// {name}: `"));
        }
        let (module, info) = match kernel.expand(&Tunes::new()).and_then(|e| e.parse()) {
            Ok(parsed) => parsed,
            Err(e) => {
                wrong(format!("is not valid as written: {e}"));
                continue;
            }
        };
        if module.entry_points.is_empty() {
            wrong("has no entry point".into());
        }
        for entry in &module.entry_points {
            let stage = Some((ShaderStage::Compute, entry.name.as_str()));
            if let Err(e) =
                naga::back::pipeline_constants::process_overrides(&module, &info, stage, &Default::default())
            {
                wrong(format!("{} does not stand with the default constants: {e}", entry.name));
            }
            // What looks at the adapter itself is no operator; what is imported is looked at where it stands.
            let imported = imports(kernel.text).filter_map(|i| i.strip_prefix("../"));
            let mut imported = imported.filter(|_| !entry.name.starts_with(name));
            if (name == "self_check" && entry.name == name)
                || imported.any(|base| entry.name.starts_with(&format!("{base}_")))
            {
                continue;
            }
            // Files for some devices alone.
            let whole =
                ["_cooperative", "_lanes"].iter().any(|end| name.ends_with(end)) && entry.name == name;
            if !whole && !entry.name.starts_with(&format!("{name}_")) {
                wrong(format!("entry point `{}` must be named `{name}_…`", entry.name));
            }
            if name != "peak" && !used.contains(&entry.name) {
                wrong(format!("no case reaches entry point `{}`", entry.name));
            }
        }
        for (_, global) in module.global_variables.iter() {
            if global.binding.as_ref().is_some_and(|b| b.group != 0) {
                wrong("has a binding outside group 0".into());
            }
        }
    }
    report(&problems);
}

#[test]
fn the_library_is_listed_and_every_file_of_it_imported() {
    let library = files("kernels/lib");
    let names: BTreeSet<&str> = library.iter().map(|k| k.name).collect();
    let listed: BTreeSet<&str> = LIB.iter().filter_map(|k| k.name.strip_prefix("lib/")).collect();
    assert_eq!(names, listed, "kernels/lib and gpu::LIB");
    let kernels = files("kernels");
    let mut reached = BTreeSet::new();
    let mut open: Vec<&str> = kernels.iter().flat_map(|k| imports(k.text)).collect();
    // Imports that the host chooses.
    let pipelines: Vec<_> = pipelines().into_values().collect();
    for line in ["SHARING", "STORING"] {
        open.extend(pipelines.iter().filter_map(|(_, p)| p.tunes.get(line)).map(|file| &**file));
    }
    while let Some(name) = open.pop() {
        if reached.insert(name) {
            open.extend(library.iter().filter(|k| k.name == name).flat_map(|k| imports(k.text)));
        }
    }
    reached.retain(|name| !name.starts_with("../"));
    assert_eq!(names, reached, "kernels/lib and what kernels import");
}

/// The checks themselves must notice each kind of wrong kernel.
#[test]
fn wrong_kernels_are_refused() {
    const RIGHT: &str = "
enable f16;
alias Elem = f32; // tune: Elem
override MODE: u32 = 0u;
struct Params {
    first_group: u32,
    count: u32,
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> input: array<Elem>;
@group(0) @binding(2) var<storage, read_write> output: array<Elem>;
var<workgroup> shared_sums: array<f32, 64>;

fn meet() {
    workgroupBarrier();
}

@compute @workgroup_size(64)
fn test_direct(@builtin(local_invocation_index) lane: u32) {
    shared_sums[lane] = f32(input[lane]) * f32(MODE);
    // before
    for (var i = 0u; i < 2u; i++) {
        // inside
        meet();
    }
    if lane >= params.count {
        return;
    }
    output[lane] = Elem(shared_sums[63u - lane]);
}
";
    let pipeline = |text: &str| Pipeline {
        kernel: Box::leak(Box::new(Kernel { name: "test", text: text.to_owned().leak() })),
        entry: "test_direct".into(),
        tunes: Tunes::new(),
        constants: BTreeMap::from([("MODE", 3.0)]),
        fields: vec![("first_group", 0), ("count", 4)],
        operands: vec![Operand::Input(0), Operand::Output(0)],
    };
    let right = pipeline(RIGHT);
    assert_eq!(right.check(), Ok(()));
    let half = Pipeline { tunes: Tunes::from([("Elem", Cow::Borrowed("f16"))]), ..right.clone() };
    assert_eq!(half.check(), Ok(()));

    let refused = |what: &str, pipeline: Pipeline, message: &str| {
        let error = pipeline.check().expect_err(what);
        assert!(error.contains(message), "{what}: {error}");
    };
    for (from, to, message) in [
        ("count", "length", "the host has"),
        ("count: u32,", "count: u32, more: f32,", "the host has"),
        ("first_group: u32,\n    count: u32,", "count: u32, first_group: u32,", "the host has"),
        ("test_direct", "test_tiled", "no entry point `test_direct`"),
        ("var<uniform> params: Params", "var<storage, read> params: Params", "not the uniform"),
        ("@binding(0)", "@binding(3)", "bindings ["),
        ("@group(0) @binding(1)", "@group(1) @binding(1)", "in group 1"),
        ("<storage, read> input", "<storage, read_write> input", "the host binds Input(0)"),
        ("f32(input[lane])", "f32(lane)", "bindings ["),
        ("output[lane] = Elem(", "output[lane] = u32(", "kernels/test.wgsl:29: "),
        ("array<f32, 64>", "array<f32, 5000>", "20000 bytes of workgroup memory"),
        ("@workgroup_size(64)", "@workgroup_size(64, 8)", "64 × 8 × 1 invocations"),
        ("// before", "if lane >= params.count { return; }", "return before a barrier"),
        ("// inside", "if lane >= params.count { return; }", "return before a barrier"),
        (
            "    workgroupBarrier();",
            "    if params.count == 0u { return; } workgroupBarrier();",
            "meet may return",
        ),
        ("MODE", "SWITCH", "override constants"),
    ] {
        assert!(RIGHT.contains(from));
        let text = RIGHT.replace(from, to);
        refused(to, pipeline(&text), message);
    }
    let tuned = Pipeline { tunes: Tunes::from([("Tile", Cow::Borrowed("8u"))]), ..right.clone() };
    refused("a tune line that is not there", tuned, "no line `// tune: Tile`");
    let order = Pipeline { operands: vec![Operand::Output(0), Operand::Input(0)], ..right.clone() };
    refused("an output before an input", order, "the host binds");
    let scratch = Pipeline { operands: vec![Operand::Scratch(1), Operand::Scratch(0)], ..right };
    assert_eq!(scratch.check(), Ok(()));
}
