"""What the Glue jobs are made of: reading CSV with nothing lost, pure transformations, and publishing."""
