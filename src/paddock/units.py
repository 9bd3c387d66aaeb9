"""Numbers as people read them: bytes and durations."""

_BYTE_UNITS = ("bytes", "kB", "MB", "GB", "TB", "PB")


def human_bytes(count: float) -> str:
    """Decimal units, as disks are sold and hubs count: `0 bytes`, `11.8 MB`, `5.1 GB`."""
    value = float(count)
    unit = 0
    while abs(value) >= 999.95 and unit < len(_BYTE_UNITS) - 1:
        value /= 1000
        unit += 1
    return f"{value:.0f} {_BYTE_UNITS[unit]}" if unit == 0 else f"{value:.1f} {_BYTE_UNITS[unit]}"


def human_duration(seconds: float) -> str:
    """`45s`, `2m 30s`, `3h 5m`, `2d 4h`."""
    whole = max(0, round(seconds))
    minutes, seconds_left = divmod(whole, 60)
    hours, minutes_left = divmod(minutes, 60)
    days, hours_left = divmod(hours, 24)
    if days:
        return f"{days}d {hours_left}h"
    if hours:
        return f"{hours}h {minutes_left}m"
    return f"{minutes}m {seconds_left}s" if minutes else f"{seconds_left}s"
