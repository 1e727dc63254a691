"""make.py - makes the files of the sample table again: python3 make.py DIRECTORY (needs pyiceberg[pyarrow,sql-sqlite]).

quickstart.sh uploads what is in deploy/sample/orders to s3://lakehouse/sample/orders and registers it as sample.orders: 20 rows, one snapshot.
The files name each other by those addresses, so here s3:// is a directory.
"""
import datetime
import decimal
import pathlib
import sys
import tempfile

import pyarrow
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.io.pyarrow import PyArrowFileIO
from pyiceberg.schema import Schema
from pyiceberg.types import DateType, DecimalType, IntegerType, LongType, NestedField, StringType

PREFIX = "s3://lakehouse/sample/orders"
TARGET = pathlib.Path(sys.argv[1]).resolve()


class LocalIO(PyArrowFileIO):
    @staticmethod
    def local(location):
        path = TARGET / location.removeprefix(PREFIX).lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        return str(path)

    def new_input(self, location):
        return self.named(super().new_input(self.local(location)), location)

    def new_output(self, location):
        return self.named(super().new_output(self.local(location)), location)

    @staticmethod
    def named(file, location):
        file._location = location  # what manifests will say
        return file


SCHEMA = Schema(
    NestedField(1, "order_id", LongType(), required=True),
    NestedField(2, "ordered_on", DateType(), required=True),
    NestedField(3, "customer", StringType()),
    NestedField(4, "product", StringType()),
    NestedField(5, "quantity", IntegerType()),
    NestedField(6, "amount", DecimalType(10, 2)),
    NestedField(7, "region", StringType()),
    identifier_field_ids=[1],
)
PRODUCTS = [("Laptop", "1249.00"), ("Monitor", "319.50"), ("Keyboard", "79.90"), ("Mouse", "24.95"), ("Headset", "99.00")]
REGIONS = ["North", "South", "East", "West"]


def rows():
    for i in range(20):
        product, price = PRODUCTS[i * 7 % 5]
        quantity = 1 + i * 3 % 4
        yield {"order_id": 1001 + i, "ordered_on": datetime.date(2026, 1, 5) + datetime.timedelta(days=i), "customer": f"C-{i % 6 + 1:03}",
               "product": product, "quantity": quantity, "amount": decimal.Decimal(price) * quantity, "region": REGIONS[i % 4]}


with tempfile.TemporaryDirectory() as scratch:
    sys.modules.setdefault("make", sys.modules["__main__"])
    catalog = SqlCatalog("sample", uri=f"sqlite:///{scratch}/catalog.db", warehouse="s3://lakehouse", **{"py-io-impl": "make.LocalIO"})
    catalog.create_namespace("sample")
    table = catalog.create_table("sample.orders", schema=SCHEMA, location=PREFIX, properties={"write.parquet.compression-codec": "zstd"})
    table.append(pyarrow.Table.from_pylist(list(rows()), schema=SCHEMA.as_arrow()))
    print(table.scan().to_arrow().num_rows, "rows in", sum(f.stat().st_size for f in TARGET.rglob("*") if f.is_file()), "bytes")
