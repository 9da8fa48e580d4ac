"""Browsers: what `builder package --target web` wrote, measured in the Chromium of this computer, on a phone, or behind a link."""
