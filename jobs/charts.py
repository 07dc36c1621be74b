"""AWS Glue job that loads CSV files of charts into a star schema in the warehouse.

It also runs on any other Spark: ``python charts.py --input s3://…/staging/charts/… --warehouse s3://…/datawarehouse
--work s3://…/work``. ``--date``, ``--region`` and ``--chart`` give values that the files lack.
"""

from spotify_bulk.load_charts import DEFAULTS, load
from spotify_bulk.run import main

if __name__ == "__main__":
    main(load, "charts", DEFAULTS)
