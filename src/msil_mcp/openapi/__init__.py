"""From an OpenAPI document to tool definitions and HTTP requests; pure, without any I/O.

document -> operations -> definitions -> request. Nothing here opens a file, a socket or a database;
whoever reads a document hands over its bytes, whoever calls an upstream takes the built request.
"""
