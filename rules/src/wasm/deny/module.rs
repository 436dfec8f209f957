//! The core module of a denier.
//!
//! Its functions hardly compute: an answer that says no is the same each time, so it stands in memory from the start. What a caller hands
//! over for good is dropped, as a function that looks at it would do. A function that is no door calls the one of the host. Texts that
//! pass through are put into the second page of memory, and into further ones if they are long, anew with each call.

use std::collections::BTreeMap;

use wasm_encoder::{
    BlockType, CodeSection, ConstExpr, DataSection, EntityType, ExportKind, ExportSection,
    FunctionSection, GlobalSection, GlobalType, ImportSection, Instruction, MemorySection,
    MemoryType, Module, TypeSection, ValType,
};
use wit_parser::abi::{AbiVariant, FlatTypes, WasmType};
use wit_parser::{
    Function, Handle, LiftLowerAbi, ManglingAndAbi, Resolve, ResourceIntrinsic, SizeAlign, Type,
    TypeDefKind, TypeId, TypeOwner, WasmExport, WasmExportKind, WasmImport, WorldId, WorldItem,
    WorldKey,
};

use super::doors::{self, Answer};
use Instruction as I;

const ABI: ManglingAndAbi = ManglingAndAbi::Legacy(LiftLowerAbi::Sync);

/// The size of a page of memory. The first page has the answers, and what callers pass stands behind it.
const PAGE: i32 = 1 << 16;

/// The largest alignment that the canonical ABI knows, in bytes.
const ALIGNMENT: usize = 8;

/// The global that has the address of the first free byte.
const FREE: u32 = 0;

/// Encodes the module for the world of a denier.
pub(super) fn encode(
    resolve: &Resolve,
    world: WorldId,
    words: &[String],
) -> Result<Vec<u8>, String> {
    let mut builder = Builder::new(resolve)?;
    let world = &resolve.worlds[world];
    for (key, item) in &world.imports {
        builder.import_interface(key, item, world.exports.contains_key(key));
    }
    for (key, item) in &world.exports {
        let WorldItem::Interface { id, .. } = item else { continue };
        let name = resolve.name_world_key(key);
        for function in resolve.interfaces[*id].functions.values() {
            let door = doors::find(&name, function, words);
            builder.export(key, function, door.map(|door| door.answer))?;
        }
    }
    builder.finish()
}

/// A module that is being made.
struct Builder<'r> {
    resolve: &'r Resolve,
    sizes: SizeAlign,
    types: TypeSection,
    imports: ImportSection,
    functions: FunctionSection,
    exports: ExportSection,
    code: CodeSection,
    /// The indices of the imported functions, by module and name.
    imported: BTreeMap<(String, String), u32>,
    /// The content of memory. No answer stands at address zero.
    memory: Vec<u8>,
}

impl<'r> Builder<'r> {
    fn new(resolve: &'r Resolve) -> Result<Self, String> {
        let mut sizes = SizeAlign::default();
        sizes.fill(resolve).map_err(|error| format!("{error:#}"))?;
        Ok(Self {
            resolve,
            sizes,
            types: TypeSection::new(),
            imports: ImportSection::new(),
            functions: FunctionSection::new(),
            exports: ExportSection::new(),
            code: CodeSection::new(),
            imported: BTreeMap::new(),
            memory: vec![0; ALIGNMENT],
        })
    }

    /// Imports the functions that drop resources of an interface, and all others if calls are handed on to it.
    fn import_interface(&mut self, key: &WorldKey, item: &WorldItem, hands_on: bool) {
        let WorldItem::Interface { id, .. } = item else { return };
        let interface = &self.resolve.interfaces[*id];
        for func in interface.functions.values().filter(|_| hands_on) {
            let signature = self.resolve.wasm_signature(AbiVariant::GuestImport, func);
            let import = WasmImport::Func { interface: Some(key), func };
            self.import(import, &signature.params, &signature.results);
        }
        for ty in interface.types.values() {
            if matches!(self.resolve.types[*ty].kind, TypeDefKind::Resource) {
                self.import(drop_of(key, *ty), &[WasmType::I32], &[]);
            }
        }
    }

    fn import(&mut self, import: WasmImport<'_>, params: &[WasmType], results: &[WasmType]) {
        let (module, name) = self.resolve.wasm_import_name(ABI, import);
        let ty = self.signature(params, results);
        self.imported.insert((module.clone(), name.clone()), self.imports.len());
        self.imports.import(&module, &name, EntityType::Function(ty));
    }

    fn signature(&mut self, params: &[WasmType], results: &[WasmType]) -> u32 {
        self.types.ty().function(values(params), values(results));
        self.types.len() - 1
    }

    /// Returns an imported function.
    fn imported(&self, import: WasmImport<'_>) -> Option<u32> {
        self.imported.get(&self.resolve.wasm_import_name(ABI, import)).copied()
    }

    /// Exports a function. One that is denied has an answer. Another calls that of the host or, if it needs what nobody has, traps.
    fn export(
        &mut self,
        key: &WorldKey,
        func: &Function,
        answer: Option<Answer>,
    ) -> Result<(), String> {
        let signature = self.resolve.wasm_signature(AbiVariant::GuestExport, func);
        let mut body = vec![I::I32Const(PAGE), I::GlobalSet(FREE)];
        let host = self.imported(WasmImport::Func { interface: Some(key), func });
        match (answer, host) {
            (Some(answer), _) => {
                self.drop_arguments(func, &mut body);
                let result = func.result.as_ref();
                let at = result.map(|result| self.answer(result, answer)).transpose()?;
                body.extend(at.map(I::I32Const));
            }
            (None, Some(host)) => {
                body.extend((0..).zip(&signature.params).map(|(index, _)| I::LocalGet(index)));
                // The caller gets the address to which the host writes.
                let room = func.result.as_ref().filter(|_| signature.retptr);
                let at = room.map(|result| self.reserve(self.sizes.size(result).size_wasm32()));
                body.extend(at.map(I::I32Const));
                body.push(I::Call(host));
                body.extend(at.map(I::I32Const));
            }
            (None, None) => body.push(I::Unreachable),
        }
        let ty = self.signature(&signature.params, &signature.results);
        let kind = WasmExportKind::Normal;
        let export = WasmExport::Func { interface: Some(key), func, kind };
        self.define(export, ty, &[], &body);
        Ok(())
    }

    /// Adds a function of this type, and exports it.
    fn define(&mut self, export: WasmExport<'_>, ty: u32, locals: &[ValType], body: &[I<'_>]) {
        let index = self.imports.len() + self.functions.len();
        self.functions.function(ty);
        let mut function = wasm_encoder::Function::new_with_locals_types(locals.iter().copied());
        for instruction in body.iter().chain([&I::End]) {
            function.instruction(instruction);
        }
        self.code.function(&function);
        let name = self.resolve.wasm_export_name(ABI, export);
        self.exports.export(&name, ExportKind::Func, index);
    }

    /// Drops the handles among the arguments of a function.
    fn drop_arguments(&self, func: &Function, body: &mut Vec<I<'_>>) {
        let mut local = 0;
        for param in &func.params {
            let mut storage = [WasmType::I32; Resolve::MAX_FLAT_PARAMS];
            let mut flat = FlatTypes::new(&mut storage);
            self.resolve.push_flat(&param.ty, &mut flat);
            if let Some(drop) = self.drop_function(&param.ty) {
                body.extend([I::LocalGet(local), I::Call(drop)]);
            } else if let Some(drop) = self.inside_option(&param.ty) {
                body.extend([I::LocalGet(local), I::If(BlockType::Empty)]);
                body.extend([I::LocalGet(local + 1), I::Call(drop), I::End]);
            }
            local += u32::try_from(flat.to_vec().len()).unwrap_or(0);
        }
    }

    /// Returns the function that drops a handle of this type, if it is one of a resource of the host.
    fn drop_function(&self, ty: &Type) -> Option<u32> {
        let TypeDefKind::Handle(Handle::Own(resource) | Handle::Borrow(resource)) =
            self.kind(ty)?
        else {
            return None;
        };
        let resource = self.definition(*resource);
        let TypeOwner::Interface(owner) = self.resolve.types[resource].owner else { return None };
        self.imported(drop_of(&WorldKey::Interface(owner), resource))
    }

    /// Returns the function that drops what an option of this type may hold.
    fn inside_option(&self, ty: &Type) -> Option<u32> {
        match self.kind(ty)? {
            TypeDefKind::Option(inside) => self.drop_function(inside),
            _ => None,
        }
    }

    fn kind(&self, ty: &Type) -> Option<&'r TypeDefKind> {
        let Type::Id(id) = ty else { return None };
        Some(&self.resolve.types[self.definition(*id)].kind)
    }

    /// Follows the names that other interfaces give to a type.
    fn definition(&self, mut id: TypeId) -> TypeId {
        while let TypeDefKind::Type(Type::Id(other)) = self.resolve.types[id].kind {
            id = other;
        }
        id
    }

    /// Puts an answer into memory, and returns its address. No door has a result that is a single number.
    fn answer(&mut self, result: &Type, answer: Answer) -> Result<i32, String> {
        let at = self.reserve(self.sizes.size(result).size_wasm32());
        if let Answer::Error(case) = answer {
            let (place, number) = self.error(result, case)?;
            let at = usize::try_from(at).unwrap_or_default();
            self.memory[at] = 1;
            self.memory[at + place] = number;
        }
        Ok(at)
    }

    /// Returns the place in a result, and the number, of a case of its error type.
    fn error(&self, result: &Type, case: &str) -> Result<(usize, u8), String> {
        let unknown = || format!("a function that is denied has no error `{case}`");
        let Some(TypeDefKind::Result(result)) = self.kind(result) else { return Err(unknown()) };
        let cases = [result.ok.as_ref(), result.err.as_ref()];
        let place = self.sizes.payload_offset(wit_parser::Int::U8, cases).size_wasm32();
        let error = result.err.as_ref().and_then(|error| self.kind(error));
        let number = match error {
            Some(TypeDefKind::Enum(error)) => error.cases.iter().position(|it| it.name == case),
            Some(TypeDefKind::Variant(error)) => error.cases.iter().position(|it| it.name == case),
            _ => None,
        };
        // A type with more cases than that would have wider numbers.
        let number = number.and_then(|number| u8::try_from(number).ok());
        Ok((place, number.ok_or_else(unknown)?))
    }

    /// Reserves room in the first page, and returns its address.
    fn reserve(&mut self, size: usize) -> i32 {
        let at = self.memory.len();
        self.memory.resize((at + size).next_multiple_of(ALIGNMENT), 0);
        i32::try_from(at).unwrap_or(PAGE)
    }

    fn finish(mut self) -> Result<Vec<u8>, String> {
        if self.memory.len() > PAGE as usize {
            return Err("the answers do not fit into a page".to_owned());
        }
        self.define_realloc();
        let mut memories = MemorySection::new();
        memories.memory(MemoryType {
            minimum: 1,
            maximum: None,
            memory64: false,
            shared: false,
            page_size_log2: None,
        });
        let name = self.resolve.wasm_export_name(ABI, WasmExport::Memory);
        self.exports.export(&name, ExportKind::Memory, 0);
        let mut globals = GlobalSection::new();
        let ty = GlobalType { val_type: ValType::I32, mutable: true, shared: false };
        globals.global(ty, &ConstExpr::i32_const(PAGE));
        let mut data = DataSection::new();
        data.active(0, &ConstExpr::i32_const(0), self.memory);
        let mut module = Module::new();
        module.section(&self.types).section(&self.imports).section(&self.functions);
        module.section(&memories).section(&globals).section(&self.exports);
        module.section(&self.code).section(&data);
        Ok(module.finish())
    }

    /// Defines the function by which arguments and results get room: `(old, old size, alignment, size) -> address`. It always gives new
    /// room, and copies what was in the old one.
    fn define_realloc(&mut self) {
        let i32 = WasmType::I32;
        let ty = self.signature(&[i32; 4], &[i32]);
        let (old, old_size, alignment, size, at, end) = (0, 1, 2, 3, 4, 5);
        let body = [
            // at = (free + alignment - 1) & -alignment
            I::GlobalGet(FREE),
            I::LocalGet(alignment),
            I::I32Add,
            I::I32Const(1),
            I::I32Sub,
            I::I32Const(0),
            I::LocalGet(alignment),
            I::I32Sub,
            I::I32And,
            I::LocalTee(at),
            // end = at + size
            I::LocalGet(size),
            I::I32Add,
            I::LocalTee(end),
            // It traps if that is beyond the end of all memory.
            I::LocalGet(at),
            I::I32LtU,
            I::If(BlockType::Empty),
            I::Unreachable,
            I::End,
            // It lets the memory grow if that is necessary, and traps if that can't be done.
            I::LocalGet(end),
            I::MemorySize(0),
            I::I32Const(16),
            I::I32Shl,
            I::I32GtU,
            I::If(BlockType::Empty),
            I::LocalGet(end),
            I::MemorySize(0),
            I::I32Const(16),
            I::I32Shl,
            I::I32Sub,
            I::I32Const(PAGE - 1),
            I::I32Add,
            I::I32Const(16),
            I::I32ShrU,
            I::MemoryGrow(0),
            I::I32Const(-1),
            I::I32Eq,
            I::If(BlockType::Empty),
            I::Unreachable,
            I::End,
            I::End,
            // It copies the smaller one of the old and the new size.
            I::LocalGet(at),
            I::LocalGet(old),
            I::LocalGet(old_size),
            I::LocalGet(size),
            I::LocalGet(old_size),
            I::LocalGet(size),
            I::I32LtU,
            I::Select,
            I::MemoryCopy { src_mem: 0, dst_mem: 0 },
            I::LocalGet(end),
            I::GlobalSet(FREE),
            I::LocalGet(at),
        ];
        self.define(WasmExport::Realloc, ty, &[ValType::I32; 2], &body);
    }
}

/// Returns the function that drops a resource of the host.
fn drop_of(key: &WorldKey, resource: TypeId) -> WasmImport<'_> {
    let intrinsic = ResourceIntrinsic::ImportedDrop;
    WasmImport::ResourceIntrinsic { interface: Some(key), resource, intrinsic }
}

fn values(types: &[WasmType]) -> Vec<ValType> {
    let value = |ty: &WasmType| match ty {
        WasmType::I64 | WasmType::PointerOrI64 => ValType::I64,
        WasmType::F32 => ValType::F32,
        WasmType::F64 => ValType::F64,
        WasmType::I32 | WasmType::Pointer | WasmType::Length => ValType::I32,
    };
    types.iter().map(value).collect()
}
