"""Spark: the artists with the most songs in playlists on the newest day, from exported files."""

import csv
import sys

import lake
from pyspark.sql import SparkSession
from pyspark.sql import functions as f

path = lake.exported("songs")  # "export/songs.parquet"
spark = SparkSession.builder.config("spark.sql.session.timeZone", "UTC").getOrCreate()
songs = spark.read.parquet(path)
newest = songs.agg(f.max("snapshot_date")).first()[0]
answer = (
    songs.where(f.col("snapshot_date") == newest)
    .select(f.explode("artist_names").alias("artist"), "song_id", "scheduled_at")
    .groupBy("artist")
    .agg(f.countDistinct("song_id").alias("songs"), f.max("scheduled_at").alias("seen"))
    .orderBy(f.desc("songs"), "artist")
    .limit(10)
    .withColumn("seen", f.date_format(f.from_utc_timestamp("seen", "Europe/Berlin"), "yyyy-MM-dd HH:mm"))
)
csv.writer(sys.stdout).writerows([answer.columns, *answer.collect()])
