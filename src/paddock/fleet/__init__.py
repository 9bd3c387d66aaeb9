"""Where runners live: child processes on this machine now, a cluster later, behind one seam.

Owns starting, watching, restarting and ending runners. Runs in the server process; asyncio. Never imports MLX.
"""
