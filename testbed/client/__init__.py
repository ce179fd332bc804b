"""The coflow API for programs inside an emulated host. Standard library only; see docs/coflow-api.md."""

from testbed.client.client import Client, Coflow
from testbed.client.connection import CoflowError
from testbed.client.flow import Flow

__all__ = ["Client", "Coflow", "CoflowError", "Flow"]
