//! The columns of a Parquet file that facts are made of, and records from them.

use super::pages::{Pages, ours};
use super::{Budget, damaged};
use crate::facts::fields::{Column, Known, REWRITE, Raw};
use crate::facts::value::{Texts, Value};
use crate::{Error, Result};
use bytes::Bytes;
use parquet::basic::{Repetition, Type as Physical};
use parquet::column::reader::ColumnReaderImpl;
use parquet::data_type::{ByteArray, ByteArrayType, DataType, DoubleType, FloatType, Int32Type, Int64Type};
use parquet::file::metadata::RowGroupMetaData;
use parquet::schema::types::{SchemaDescriptor, Type};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Names that are told of a file's columns.
const TOLD: usize = 20;

/// Which columns are read, and as what.
pub(super) struct Plan {
    leaves: Vec<Leaf>,
    /// Known columns that hold something else than texts: what, in words.
    others: Vec<(Known, bool, &'static str)>,
    /// CounterFact's object is there, or is this.
    rewritten: bool,
    no_rewrite: Option<&'static str>,
    /// Names of all columns, for people.
    pub(super) names: String,
}

/// A column that is read.
struct Leaf {
    index: usize,
    known: Known,
    inside: bool,
    /// A list: the level from which on it has an entry.
    list: Option<i16>,
    /// The level of a value.
    deepest: i16,
    /// It is the id of what the column names.
    id: bool,
}

impl Plan {
    pub(super) fn of(schema: &SchemaDescriptor) -> Result<Self> {
        let fields = schema.root_schema().get_fields();
        let mut names: Vec<String> =
            fields.iter().take(TOLD).map(|field| field.name().chars().take(2 * TOLD).collect()).collect();
        names.extend((fields.len() > TOLD).then(|| "…".to_owned()));
        let names = names.join(", ");
        let mut plan = Self { leaves: Vec::new(), others: Vec::new(), rewritten: false, no_rewrite: None, names };
        for index in 0..schema.num_columns() {
            plan.look(schema, index);
        }
        let has = |column| plan.leaves.iter().any(|leaf| leaf.known.column == column);
        let has_prompt = has(Column::Prompt) || has(Column::Template);
        if !has_prompt || !has(Column::Subject) || !has(Column::True) {
            let wanted = "prompt, subject and target_true (or attribute, ground_truth), or requested_rewrite with them";
            return Err(Error::input(format!("the Parquet file has no columns {wanted}"))
                .hint(format!("columns found: {}", plan.names)));
        }
        // What is read as a text is not something else as well.
        let (leaves, others) = (&plan.leaves, &mut plan.others);
        others.retain(|(known, inside, _)| {
            !leaves.iter().any(|leaf| !leaf.id && leaf.known.number() == known.number() && leaf.inside == *inside)
        });
        Ok(plan)
    }

    fn look(&mut self, schema: &SchemaDescriptor, index: usize) {
        let column = schema.column(index);
        let path = column.path().parts();
        let (inside, path) = match path {
            [first, rest @ ..] if first == REWRITE => (true, rest),
            all => (false, all),
        };
        let [name, rest @ ..] = path else {
            self.no_rewrite = Some("no object");
            return;
        };
        self.rewritten |= inside;
        let Some(known) = Column::of(name) else { return };
        let text = matches!(
            column.physical_type(),
            Physical::BYTE_ARRAY | Physical::INT32 | Physical::INT64 | Physical::FLOAT | Physical::DOUBLE
        );
        let list = list_level(schema.root_schema(), column.path().parts());
        let is_text = rest.is_empty() || matches!(rest, [inner] if inner == "str");
        // A list is one group around a repeated one around the entries, or a repeated column by itself.
        let is_list = column.max_rep_level() == 1 && rest.len() <= 2 && list.is_some();
        let id = known.column == Column::New && matches!(rest, [inner] if inner == "id");
        if id && text && column.max_rep_level() == 0 {
            return self.leaves.push(Leaf { index, known, inside, list: None, deepest: column.max_def_level(), id });
        }
        let readable = if column.max_rep_level() == 0 { is_text } else { is_list };
        match readable && text {
            true => {
                let list = list.filter(|_| is_list);
                self.leaves.push(Leaf { index, known, inside, list, deepest: column.max_def_level(), id: false });
            }
            false if text && column.max_rep_level() > 0 => self.others.push((known, inside, "a list of objects")),
            false if rest.is_empty() => self.others.push((known, inside, "no text")),
            false => self.others.push((known, inside, "an object")),
        }
    }

    /// The readers of a row group's columns.
    pub(super) fn readers(&self, group: &RowGroupMetaData, bytes: &Bytes) -> Result<Vec<Reader>> {
        self.leaves.iter().map(|leaf| Reader::new(group, leaf.index, bytes)).collect()
    }

    /// The next records, `count` of them.
    pub(super) fn batch(&self, readers: &mut [Reader], count: usize, text: &mut Budget) -> Result<Vec<Raw>> {
        let empty = || {
            let mut raw = Raw::default();
            (raw.rewritten, raw.no_rewrite) = (self.rewritten, self.no_rewrite);
            for (known, inside, kind) in &self.others {
                raw.put(*known, *inside, Value::Other(kind));
            }
            raw
        };
        let mut raws: Vec<Raw> = std::iter::repeat_with(empty).take(count).collect();
        for (leaf, reader) in self.leaves.iter().zip(readers) {
            let (definitions, repetitions) = reader.read(count)?;
            let mut levels = Levels { leaf, definitions, repetitions, at: 0 };
            for raw in &mut raws {
                let value = levels.next(reader).ok_or_else(|| damaged("a column has fewer records than it says"))?;
                text.take(value.size())?;
                match leaf.id {
                    true => raw.put_new_id(value),
                    false => raw.put(leaf.known, leaf.inside, value),
                }
            }
        }
        Ok(raws)
    }
}

/// A flat column of texts.
pub(super) struct TextColumn {
    index: usize,
}

impl TextColumn {
    pub(super) fn of(schema: &SchemaDescriptor, name: &str) -> Result<Self> {
        let is = |index: &usize| {
            let column = schema.column(*index);
            let flat = column.path().parts() == [name] && column.max_rep_level() == 0;
            flat && column.physical_type() == Physical::BYTE_ARRAY
        };
        let index = (0..schema.num_columns()).find(is).ok_or_else(|| {
            Error::input(format!("the Parquet file has no column {name:?} of texts"))
                .hint("give a file with such a column, or a plain text file")
        })?;
        Ok(Self { index })
    }

    pub(super) fn reader(&self, group: &RowGroupMetaData, bytes: &Bytes) -> Result<Reader> {
        Reader::new(group, self.index, bytes)
    }

    /// The texts of the next records, `count` of them; nulls are left out.
    pub(super) fn batch(&self, reader: &mut Reader, count: usize) -> Result<Vec<String>> {
        reader.read(count)?;
        let texts = reader.values.by_ref().filter_map(|plain| match plain {
            Plain::Bytes(bytes) => Some(String::from_utf8(bytes.data().to_vec())),
            Plain::Number(_) | Plain::Integer(_) => None,
        });
        texts.map(|text| text.map_err(|_| damaged("a text is no UTF-8"))).collect()
    }
}

/// The definition level from which on the list at a path has an entry.
fn list_level(root: &Type, path: &[String]) -> Option<i16> {
    let (mut group, mut level) = (root, 0);
    for name in path {
        let next = group.is_group().then(|| group.get_fields().iter().find(|field| field.name() == name))??;
        let info = next.get_basic_info();
        match info.has_repetition().then(|| info.repetition()) {
            Some(Repetition::REPEATED) => return Some(level + 1),
            Some(Repetition::OPTIONAL) => level += 1,
            _ => {}
        }
        group = next;
    }
    None
}

/// Values of a batch, record by record.
struct Levels<'a> {
    leaf: &'a Leaf,
    definitions: Vec<i16>,
    repetitions: Vec<i16>,
    at: usize,
}

impl Levels<'_> {
    /// The next record's value; `None` where there is no next record.
    fn next(&mut self, reader: &mut Reader) -> Option<Value> {
        let leaf = self.leaf;
        let level = |at: usize| match leaf.deepest {
            0 => Some(0),
            _ => self.definitions.get(at).copied(),
        };
        let Some(list) = leaf.list else {
            let found = if level(self.at)? == leaf.deepest { reader.value()? } else { Value::Missing };
            self.at += 1;
            return Some(found);
        };
        let mut texts = Texts::default();
        let first = self.at;
        self.repetitions.get(first)?;
        while self.at == first || self.repetitions.get(self.at).is_some_and(|level| *level > 0) {
            match level(self.at)? {
                there if there == leaf.deepest => texts.push(reader.value()?),
                there if there >= list => texts.push(Value::Missing),
                _ => {}
            }
            self.at += 1;
        }
        Some(texts.value())
    }
}

/// A column of a row group.
pub(super) struct Reader {
    inner: Inner,
    /// Values of the batch, as far as they were not taken yet.
    values: std::vec::IntoIter<Plain>,
    entries: Arc<AtomicUsize>,
}

enum Inner {
    Bytes(ColumnReaderImpl<ByteArrayType>),
    Int32(ColumnReaderImpl<Int32Type>),
    Int64(ColumnReaderImpl<Int64Type>),
    Float(ColumnReaderImpl<FloatType>),
    Double(ColumnReaderImpl<DoubleType>),
}

/// A value before a text is made of it.
enum Plain {
    Bytes(ByteArray),
    Number(f64),
    Integer(i64),
}

type Both = (Vec<i16>, Vec<i16>);

impl Reader {
    fn new(group: &RowGroupMetaData, index: usize, bytes: &Bytes) -> Result<Self> {
        let entries = Arc::new(AtomicUsize::new(0));
        let column = group.columns().get(index).ok_or_else(|| damaged("a row group lacks a column"))?;
        let pages = Box::new(Pages::new(column, bytes, entries.clone())?);
        let descr = column.column_descr_ptr();
        let inner = match descr.physical_type() {
            Physical::BYTE_ARRAY => Inner::Bytes(ColumnReaderImpl::new(descr, pages)),
            Physical::INT32 => Inner::Int32(ColumnReaderImpl::new(descr, pages)),
            Physical::INT64 => Inner::Int64(ColumnReaderImpl::new(descr, pages)),
            Physical::FLOAT => Inner::Float(ColumnReaderImpl::new(descr, pages)),
            Physical::DOUBLE => Inner::Double(ColumnReaderImpl::new(descr, pages)),
            other => return Err(damaged(format!("a column is of the type {other}"))),
        };
        Ok(Self { inner, values: Vec::new().into_iter(), entries })
    }

    /// Reads the next records and gives their levels.
    fn read(&mut self, count: usize) -> Result<Both> {
        self.entries.store(0, Ordering::Relaxed);
        let (values, levels) = match &mut self.inner {
            Inner::Bytes(reader) => read(reader, count, Plain::Bytes)?,
            Inner::Int32(reader) => read(reader, count, |value| Plain::Integer(value.into()))?,
            Inner::Int64(reader) => read(reader, count, Plain::Integer)?,
            Inner::Float(reader) => read(reader, count, |value| Plain::Number(value.into()))?,
            Inner::Double(reader) => read(reader, count, Plain::Number)?,
        };
        self.values = values.into_iter();
        Ok(levels)
    }

    fn value(&mut self) -> Option<Value> {
        Some(match self.values.next()? {
            Plain::Bytes(bytes) => match std::str::from_utf8(bytes.data()) {
                Ok(text) => Value::text(text),
                Err(_) => Value::Other("not UTF-8 text"),
            },
            Plain::Integer(number) => Value::Number(number.to_string()),
            // What pandas makes of a number that is missing.
            Plain::Number(number) if number.is_nan() => Value::Missing,
            Plain::Number(number) => Value::Number(number.to_string()),
        })
    }
}

/// The next records of a typed column: values and levels.
fn read<T: DataType>(
    reader: &mut ColumnReaderImpl<T>,
    count: usize,
    into: impl Fn(T::T) -> Plain,
) -> Result<(Vec<Plain>, Both)> {
    let (mut definitions, mut repetitions, mut values) = (Vec::new(), Vec::new(), Vec::new());
    let read = reader.read_records(count, Some(&mut definitions), Some(&mut repetitions), &mut values);
    let (records, ..) = read.map_err(ours)?;
    if records != count {
        return Err(damaged("a column has fewer records than it says"));
    }
    Ok((values.into_iter().map(into).collect(), (definitions, repetitions)))
}
