"""The code of the Glue jobs: lossless CSV reading, pure transformations, and publishing."""
