#!version:1.0.0.1
overwrite_mode = 0
include:config "https://p.example.org/yealink-retry.cfg"
include:config "https://p.example.org/d/e7e7e7e7e7e7e7e7e7e7e7e7e7e7e7e7e7e7e7e7/00005e00531a.cfg"
