"""What everything stands on: errors, answers, paths, files of others, subprocesses, secrets; nothing of ImageAI."""
