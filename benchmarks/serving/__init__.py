"""What an endpoint gives: speed beside the engine alone and other servers, long load, health checks, word alignment."""
