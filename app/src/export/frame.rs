//! A table of values as a Parquet file. Texts and numbers go in as they are: an f32 keeps its bits.

use engram_core::{Error, Result};
use parquet::basic::{Compression, LogicalType, Repetition, Type as Physical};
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, FloatType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter};
use parquet::schema::types::Type;
use std::sync::Arc;

/// Rows that are held before they are encoded: a row group of some ten megabytes.
const GROUP: usize = 1 << 18;

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// UTF-8.
    Text,
    /// 64 bits with a sign.
    Int,
    /// 64 bits without a sign.
    Unsigned,
    /// 32 bits.
    Float,
    /// Yes or no.
    Bool,
}

/// One value of a row.
#[derive(Debug, Clone)]
pub enum Value {
    /// A text; cheap to clone.
    Text(ByteArray),
    /// An integer (its bits, where the column has no sign).
    Int(i64),
    /// A number.
    Float(f32),
    /// Yes or no.
    Bool(bool),
    /// There is none.
    Null,
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(ByteArray::from(text))
    }
}

impl From<usize> for Value {
    fn from(count: usize) -> Self {
        Self::Int(i64::try_from(count).unwrap_or(i64::MAX))
    }
}

impl From<u32> for Value {
    fn from(count: u32) -> Self {
        Self::Int(i64::from(count))
    }
}

impl From<f32> for Value {
    fn from(value: f32) -> Self {
        Self::Float(value)
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// A column's name, kind, and whether a row may lack it.
pub type Field = (&'static str, Kind, bool);

struct Column {
    kind: Kind,
    optional: bool,
    /// 1 where a row has a value, 0 where not; only of optional columns.
    levels: Vec<i16>,
    texts: Vec<ByteArray>,
    ints: Vec<i64>,
    floats: Vec<f32>,
    bools: Vec<bool>,
}

/// A Parquet file in the making.
pub struct Frame {
    columns: Vec<Column>,
    held: usize,
    rows: usize,
    writer: SerializedFileWriter<Vec<u8>>,
}

impl Frame {
    /// An empty table.
    ///
    /// # Errors
    /// Only when a name is not fit for a column.
    pub fn new(fields: &[Field], program: &str) -> Result<Self> {
        let column = |(name, kind, optional): &Field| {
            let (physical, logical) = match kind {
                Kind::Text => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
                Kind::Int => (Physical::INT64, None),
                Kind::Unsigned => (Physical::INT64, Some(LogicalType::integer(64, false))),
                Kind::Float => (Physical::FLOAT, None),
                Kind::Bool => (Physical::BOOLEAN, None),
            };
            let repetition = if *optional { Repetition::OPTIONAL } else { Repetition::REQUIRED };
            let builder = Type::primitive_type_builder(name, physical).with_repetition(repetition);
            Ok(Arc::new(builder.with_logical_type(logical).build().map_err(failed)?))
        };
        let fields_of = fields.iter().map(column).collect::<Result<_>>()?;
        let schema = Type::group_type_builder("schema").with_fields(fields_of).build().map_err(failed)?;
        let properties = WriterProperties::builder().set_compression(Compression::SNAPPY);
        let properties = Arc::new(properties.set_created_by(program.to_owned()).build());
        let empty = |(_, kind, optional): &Field| Column {
            kind: *kind,
            optional: *optional,
            levels: Vec::new(),
            texts: Vec::new(),
            ints: Vec::new(),
            floats: Vec::new(),
            bools: Vec::new(),
        };
        let writer = SerializedFileWriter::new(Vec::new(), Arc::new(schema), properties).map_err(failed)?;
        Ok(Self { columns: fields.iter().map(empty).collect(), held: 0, rows: 0, writer })
    }

    /// Adds a row: a value per column, in their order.
    ///
    /// # Errors
    /// When a value is not of its column's kind, or missing where none may be.
    pub fn row<const N: usize>(&mut self, values: [Value; N]) -> Result<()> {
        if N != self.columns.len() {
            return Err(Error::io(format!("a row of {N} values for {} columns", self.columns.len())));
        }
        for (column, value) in self.columns.iter_mut().zip(values) {
            column.push(value)?;
        }
        self.held += 1;
        self.rows += 1;
        if self.held == GROUP { self.flush() } else { Ok(()) }
    }

    /// Rows so far.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The whole file.
    ///
    /// # Errors
    /// When it cannot be encoded.
    pub fn finish(mut self) -> Result<Vec<u8>> {
        self.flush()?;
        self.writer.into_inner().map_err(failed)
    }

    fn flush(&mut self) -> Result<()> {
        if self.held == 0 {
            return Ok(());
        }
        let mut group = self.writer.next_row_group().map_err(failed)?;
        for column in &mut self.columns {
            let mut writer = group.next_column().map_err(failed)?.ok_or_else(|| Error::io("parquet: no column"))?;
            column.write(&mut writer).map_err(failed)?;
            writer.close().map_err(failed)?;
        }
        group.close().map_err(failed)?;
        self.held = 0;
        Ok(())
    }
}

impl Column {
    fn push(&mut self, value: Value) -> Result<()> {
        let there = !matches!(value, Value::Null);
        match (self.kind, value) {
            (Kind::Text, Value::Text(text)) => self.texts.push(text),
            (Kind::Int | Kind::Unsigned, Value::Int(int)) => self.ints.push(int),
            (Kind::Float, Value::Float(float)) => self.floats.push(float),
            (Kind::Bool, Value::Bool(bool)) => self.bools.push(bool),
            (_, Value::Null) if self.optional => {}
            (kind, value) => return Err(Error::io(format!("parquet: {value:?} in a column of {kind:?}"))),
        }
        if self.optional {
            self.levels.push(i16::from(there));
        }
        Ok(())
    }

    fn write(&mut self, writer: &mut SerializedColumnWriter<'_>) -> Result<(), ParquetError> {
        let levels = self.optional.then_some(self.levels.as_slice());
        match self.kind {
            Kind::Text => writer.typed::<ByteArrayType>().write_batch(&self.texts, levels, None)?,
            Kind::Int | Kind::Unsigned => writer.typed::<Int64Type>().write_batch(&self.ints, levels, None)?,
            Kind::Float => writer.typed::<FloatType>().write_batch(&self.floats, levels, None)?,
            Kind::Bool => writer.typed::<BoolType>().write_batch(&self.bools, levels, None)?,
        };
        self.levels.clear();
        self.texts.clear();
        self.ints.clear();
        self.floats.clear();
        self.bools.clear();
        Ok(())
    }
}

fn failed(error: ParquetError) -> Error {
    Error::io(format!("parquet: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use parquet::file::reader::{FileReader, SerializedFileReader};
    use parquet::record::Field as Read;

    #[test]
    fn bits_are_kept_and_rows_cross_groups() -> Result<()> {
        let fields = [("t", Kind::Text, false), ("f", Kind::Float, true), ("u", Kind::Unsigned, false)];
        let mut frame = Frame::new(&fields, "test")?;
        let text = Value::from("a\0<é>");
        for at in 0..=GROUP {
            let f = (at % 3 > 0).then_some(f32::from_bits(0x3e99_9999 + at as u32));
            frame.row([text.clone(), f.into(), Value::Int(u64::MAX as i64)])?;
        }
        assert_eq!(frame.rows(), GROUP + 1);
        let path = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(path.path(), frame.finish()?).expect("written");
        let file = SerializedFileReader::new(std::fs::File::open(path.path()).expect("a file")).map_err(failed)?;
        assert_eq!(file.metadata().num_row_groups(), 2);
        for (at, row) in file.get_row_iter(None).map_err(failed)?.enumerate() {
            let row: Vec<Read> = row.map_err(failed)?.get_column_iter().map(|(_, field)| field.clone()).collect();
            let float = match at % 3 {
                0 => Read::Null,
                _ => Read::Float(f32::from_bits(0x3e99_9999 + at as u32)),
            };
            assert_eq!(row, [Read::Str("a\0<é>".into()), float, Read::ULong(u64::MAX)]);
        }
        Ok(())
    }

    #[test]
    fn a_value_of_another_kind_is_refused() -> Result<()> {
        let mut frame = Frame::new(&[("f", Kind::Float, false)], "test")?;
        assert!(frame.row([Value::Null]).is_err());
        assert!(frame.row([Value::Int(1)]).is_err());
        assert!(frame.row([Value::Float(1.0), Value::Float(1.0)]).is_err());
        Ok(())
    }
}
