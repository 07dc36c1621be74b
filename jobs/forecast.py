"""AWS Glue job that forecasts the daily charts in the warehouse for the next seven days, and finds rising genres.

It also runs on any other Spark: ``python forecast.py --input s3://…/staging/forecast/… --warehouse
s3://…/datawarehouse --work s3://…/work``. It reads the warehouse alone; the input only starts it.
"""

from spotify_bulk.forecast_charts import load
from spotify_bulk.run import main

if __name__ == "__main__":
    main(load, "forecast")
