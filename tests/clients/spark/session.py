"""A Spark session on a Firn server that is given no S3 key, endpoint or region's secret: what it needs to reach files, the catalog vends.

By hand, against a server that runs:

    build/venv-spark/bin/python -i tests/clients/spark/session.py http://127.0.0.1:8181 KEY SECRET
"""
import os
import pathlib
import sys

JARS = pathlib.Path(os.environ.get("SPARK_JARS", pathlib.Path(__file__).parents[3] / "build" / "jars"))


def open_session(catalog_url, credential, directory, threads=2):
    from pyspark.sql import SparkSession
    for name in [n for n in os.environ if n.startswith("AWS_")]:
        del os.environ[name]
    os.environ["AWS_EC2_METADATA_DISABLED"] = "true"
    os.environ["AWS_REGION"] = "us-east-1"  # the SDK wants one before it has a table's configuration
    jars = sorted(str(p) for p in JARS.glob("*.jar"))
    assert len(jars) == 2, f"{JARS} does not have the two jars: make clients"
    settings = {
        "spark.jars": ",".join(jars),
        "spark.driver.memory": "1500m",
        "spark.ui.enabled": "false",
        "spark.sql.shuffle.partitions": "2",
        "spark.sql.warehouse.dir": f"{directory}/warehouse",
        "spark.local.dir": str(directory),
        "spark.sql.extensions": "org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions",
        "spark.sql.catalog.lake": "org.apache.iceberg.spark.SparkCatalog",
        "spark.sql.catalog.lake.type": "rest",
        "spark.sql.catalog.lake.uri": catalog_url + "/api/catalog",
        "spark.sql.catalog.lake.warehouse": "lakehouse",
        "spark.sql.catalog.lake.credential": credential,
        "spark.sql.catalog.lake.oauth2-server-uri": catalog_url + "/api/catalog/v1/oauth/tokens",
        "spark.sql.catalog.lake.scope": "PRINCIPAL_ROLE:ALL",
        "spark.sql.catalog.lake.header.X-Iceberg-Access-Delegation": "vended-credentials",
        "spark.sql.catalog.lake.io-impl": "org.apache.iceberg.aws.s3.S3FileIO",
        "spark.sql.catalog.lake.cache-enabled": "false",
        "spark.sql.defaultCatalog": "lake",
    }
    builder = SparkSession.builder.master(f"local[{threads}]").appName("firn")
    for name, value in settings.items():
        builder = builder.config(name, value)
    session = builder.getOrCreate()
    session.sparkContext.setLogLevel("ERROR")
    return session


if __name__ == "__main__":
    import tempfile
    spark = open_session(sys.argv[1], f"{sys.argv[2]}:{sys.argv[3]}", tempfile.mkdtemp())
    spark.sql("SHOW NAMESPACES").show()
