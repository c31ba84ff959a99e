#!version:1.0.0.1
overwrite_mode = 0
include:config "00005e00531a.cfg"
