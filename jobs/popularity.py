"""AWS Glue job that predicts the popularity of songs from their features, and says how well.

It also runs on any other Spark: ``python popularity.py --input s3://…/staging/popularity/… --warehouse
s3://…/datawarehouse --work s3://…/work``. Without files in the input it takes the catalog in the warehouse.
"""

from spotify_bulk.predict_popularity import load
from spotify_bulk.run import main

if __name__ == "__main__":
    main(load, "popularity")
