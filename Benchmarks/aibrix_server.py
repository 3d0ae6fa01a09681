"""Serves AIBrix 0.8.0's batch API outside Kubernetes. Arguments: port, engine URL, concurrency."""

import sys

import uvicorn
from aibrix.batch.client import GatewayEndpointSource
from aibrix.metadata.app import build_app, build_app_args

port, engine, concurrency = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])
app = build_app(args=build_app_args(host="127.0.0.1", port=port))
app.state.batch_driver._endpoint_source = GatewayEndpointSource(engine, capacity=concurrency)
uvicorn.run(app, host="127.0.0.1", port=port, log_level="error", access_log=False)
