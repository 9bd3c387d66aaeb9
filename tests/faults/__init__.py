"""What breaks outside: processes killed at random points, writes that fail, full disks. PADDOCK_SOAK=1 goes on longer."""
