"""AWS without AWS, on loopback, with the things of the article in it: `python -m contrib.aws_demo`."""
