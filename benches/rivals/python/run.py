"""Runs a handler under AWS's runtime client, with the deployed folder first on the path, as on Lambda.

Usage: python run.py FOLDER MODULE.HANDLER
"""

import os
import sys

folder, handler = sys.argv[1:]
sys.path[0] = os.path.abspath(folder)
# Lambda sets both, and boto3 reads this one only.
os.environ.setdefault("AWS_DEFAULT_REGION", os.environ.get("AWS_REGION", ""))

from awslambdaric import __main__ as client  # not earlier: what it imports would be searched in the folder of this file

client.main([sys.argv[0], handler])
