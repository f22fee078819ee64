"""Subscriptions: operations that are answered as things come, over WebSocket and over Server-Sent Events."""
