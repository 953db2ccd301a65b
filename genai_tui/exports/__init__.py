"""Samples as files to take away: pictures, animations, contact sheets, sounds, texts."""
