"""Connections that know whether a byte has left."""
