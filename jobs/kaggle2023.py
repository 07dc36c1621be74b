"""AWS Glue job: the CSV files of Kaggle's "Spotify Dataset 2023" become tables in the warehouse.

``python kaggle2023.py --input s3://…/staging/kaggle2023/… --warehouse s3://…/datawarehouse --work s3://…/work`` runs it
on any Spark.
"""

from spotify_bulk.load_kaggle import load
from spotify_bulk.run import main

if __name__ == "__main__":
    main(load, "kaggle2023")
