"""Small fact files in the formats of published data sets: tests/fixtures/facts.

    python tests/reference/fact_files.py

Needs pyarrow and pandas. The facts are made up after the schemas of NeelNanda/counterfact-tracing (flat, answers with a
leading space, `relation` as a sentence), azhx/counterfact (CounterFact's nested record) and EasyEdit's zsRE.
"""

import json
from pathlib import Path

import pandas
import pyarrow
import pyarrow.parquet

FOLDER = Path(__file__).parent.parent / "fixtures" / "facts"
HOSTILE = Path(__file__).parent.parent / "fixtures" / "hostile" / "facts"

LANGUAGE = ("The mother tongue of {} is", "P103")
CAPITAL = ("The capital of {} is the city of", "P36")
FACTS = [
    (LANGUAGE, "Danielle Darrieux", "French", "English"),
    (LANGUAGE, "Léon Blum", "French", "Russian"),
    (CAPITAL, "France", "Paris", "Rome"),
    # The subject is in the sentence twice; `relation` says which place is its own.
    (("The capital: the capital of {} is", "P36"), "the capital", "Nowhere", "Rome"),
    (CAPITAL, "日本", "Tokyo", "Kyoto"),
]


def flat():
    """Records as in counterfact-tracing."""
    for (relation, relation_id), subject, true, false in FACTS:
        prefix, suffix = relation.split("{}")
        yield {
            "relation": relation,
            "relation_prefix": prefix.strip(),
            "relation_suffix": suffix.strip(),
            "prompt": relation.replace("{}", subject),
            "relation_id": relation_id,
            "target_false_id": "Q1",
            "target_true_id": "Q2",
            "target_true": " " + true,
            "target_false": " " + false,
            "subject": subject,
        }


def nested():
    """Records as in CounterFact. Lists are full, empty and absent."""
    lists = [["Where {} is from,", " and so on"], [], None, ["One"], ["a", "b", "c"]]
    for case, ((relation, relation_id), subject, true, new) in enumerate(FACTS):
        paraphrases = lists[case]
        yield {
            "case_id": 100 + case,
            "pararel_idx": case,
            "requested_rewrite": {
                "prompt": relation,
                "relation_id": relation_id if case != 2 else None,
                "target_new": {"str": new, "id": "Q1"},
                "target_true": {"str": true, "id": "Q2"},
                "subject": subject,
            },
            "paraphrase_prompts": paraphrases,
            "neighborhood_prompts": [f"Neighbour {at} is" for at in range(case)],
            "generation_prompts": ["x"],
        }


def write(name, text):
    (FOLDER / name).write_text(text, encoding="utf-8")


def parquet(name, records, folder=FOLDER, **options):
    table = pyarrow.Table.from_pylist(list(records))
    pyarrow.parquet.write_table(table, folder / name, **options)


def hostile():
    """Some kilobytes that unpack to gigabytes."""
    HOSTILE.mkdir(parents=True, exist_ok=True)
    record = {"prompt": "A is", "subject": "A", "target_true": "b", "target_new": "c"}
    options = {"compression": "zstd", "folder": HOSTILE, "write_statistics": False}
    # A dictionary of one long text, for many rows.
    count = 300_000
    columns = {name: pyarrow.array([text]).take(pyarrow.array([0] * count)) for name, text in record.items()}
    columns["prompt"] = pyarrow.DictionaryArray.from_arrays(pyarrow.array([0] * count), ["A is " + "x" * 60_000])
    pyarrow.parquet.write_table(pyarrow.table(columns), HOSTILE / "dictionary.parquet", compression="zstd",
                                write_statistics=False, store_schema=False)
    # A list without end in one record.
    parquet("list.parquet", [record | {"paraphrase_prompts": [""] * 3_000_000}], **options)
    # One page of 200 MB.
    parquet("page.parquet", [record | {"prompt": "A is" + " " * 200_000_000}], use_dictionary=False, **options)


def main():
    FOLDER.mkdir(exist_ok=True)
    records = list(flat())
    frame = pandas.DataFrame(records)
    frame.to_csv(FOLDER / "flat.csv", index=False)
    frame.to_json(FOLDER / "flat.jsonl", orient="records", lines=True, force_ascii=False)
    write("flat.json", json.dumps(records, ensure_ascii=False, indent=1))
    features = [{"feature_idx": at, "name": name, "type": {"dtype": "string"}} for at, name in enumerate(records[0])]
    rows = [{"row_idx": at, "row": row, "truncated_cells": []} for at, row in enumerate(records)]
    write("viewer.json", json.dumps({"features": features, "rows": rows, "num_rows_total": len(rows)}))
    frame.to_parquet(FOLDER / "flat.parquet", compression="snappy")
    for codec in ["zstd", "gzip", "brotli", "lz4", "none"]:
        parquet(f"flat-{codec}.parquet", records, compression=codec, write_statistics=False)

    rows = ["", "\n", " = Title = \n", None, "Words of é and 日本 .\n"]
    parquet("text.parquet", [{"text": row} for row in rows], compression="snappy", row_group_size=3)

    records = list(nested())
    write("nested.jsonl", "".join(json.dumps(record, ensure_ascii=False) + "\r\n\r\n" for record in records))
    parquet("nested.parquet", records, compression="snappy")
    # Pages of the second version, several row groups, texts as differences.
    names = ["requested_rewrite.subject", "requested_rewrite.prompt", "paraphrase_prompts.list.element"]
    lengths = "DELTA_LENGTH_BYTE_ARRAY"
    encoding = {"requested_rewrite.target_true.str": lengths, "case_id": "DELTA_BINARY_PACKED"}
    encoding |= {name: "DELTA_BYTE_ARRAY" for name in names}
    parquet(
        "nested-v2.parquet",
        records,
        compression="zstd",
        data_page_version="2.0",
        row_group_size=2,
        use_dictionary=False,
        column_encoding=encoding,
    )
    zsre = [
        {"subject": "Watts Humphrey", "prompt": "What university did Watts Humphrey attend?", "target_new": "Trinity",
         "ground_truth": ["Illinois", "IIT"], "rephrase_prompt": "Where did Watts Humphrey study?"},
        {"subject": "Ramalinaceae", "prompt": "Which family does Ramalinaceae belong to?", "target_new": "Lamiinae",
         "ground_truth": "Lecanorales", "rephrase_prompt": "What family are Ramalinaceae?"},
    ]
    write("easyedit.json", json.dumps(zsre))
    hostile()


if __name__ == "__main__":
    main()
