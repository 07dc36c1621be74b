"""AWS Glue job: CSV files of charts become a star schema in the warehouse.

``python charts.py --input s3://…/staging/charts/… --warehouse s3://…/datawarehouse --work s3://…/work`` runs it on any
Spark; ``--date``, ``--region`` and ``--chart`` say what files do not.
"""

from spotify_bulk.load_charts import DEFAULTS, load
from spotify_bulk.run import main

if __name__ == "__main__":
    main(load, "charts", DEFAULTS)
