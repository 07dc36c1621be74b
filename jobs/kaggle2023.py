"""AWS Glue job that loads the CSV files of Kaggle's "Spotify Dataset 2023" into tables in the warehouse.

It also runs on any other Spark: ``python kaggle2023.py --input s3://…/staging/kaggle2023/…
--warehouse s3://…/datawarehouse --work s3://…/work``.
"""

from spotify_bulk.load_kaggle import load
from spotify_bulk.run import main

if __name__ == "__main__":
    main(load, "kaggle2023")
