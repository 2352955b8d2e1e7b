"""What texts and addresses look like, stated once: the careful pass words its warnings from these rules, and the
bulk pass builds from them the patterns of what is certainly plain.
"""

import re

#: First marks of text that was read in the wrong encoding once (UTF-8 taken for Windows text), and what follows;
#: the character that stands for one that could not be read, and those that nobody types.
GARBLED_MARKS = {
    "Ã": "[\u0080-\u00bf€‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ]",
    "â€": "[\u0080-\u00bf™œ“”˜¦\u009d]",
    "ï»¿": "",
    "\ufffd": "",
    "[\u0080-\u009f]": "",
}
GARBLED = re.compile("|".join(first + then for first, then in GARBLED_MARKS.items()))
#: What looks like a variable that nobody filled in.
BRACES = "{{"

#: Hosts whose addresses lead to a page for people, with the service's name.
PAGES = {
    "drive.google.com": "Google Drive", "docs.google.com": "Google Docs", "photos.google.com": "Google Photos",
    "photos.app.goo.gl": "Google Photos", "1drv.ms": "OneDrive", "onedrive.live.com": "OneDrive",
    "we.tl": "WeTransfer", "wetransfer.com": "WeTransfer", "app.box.com": "Box", "icloud.com": "iCloud",
    "youtube.com": "YouTube", "youtu.be": "YouTube", "vimeo.com": "Vimeo", "tiktok.com": "TikTok",
    "instagram.com": "Instagram", "facebook.com": "Facebook", "pinterest.com": "Pinterest", "imgur.com": "Imgur",
    "figma.com": "Figma", "canva.com": "Canva", "notion.so": "Notion", "sharepoint.com": "SharePoint",
    "dropbox.com": "Dropbox", "github.com": "GitHub", "flickr.com": "Flickr",
}  # fmt: skip
#: Hosts below those that give files.
FILE_HOSTS = frozenset({"i.imgur.com", "dl.dropboxusercontent.com", "raw.github.com"})
#: Ends of names that only one's own network knows.
INSIDE = (".local", ".internal", ".lan", ".intranet", ".localhost", ".test", ".home.arpa", ".invalid", ".corp")
#: A link that ends some time.
SIGNED = r"[?&](?:x-amz-signature|x-goog-signature|sig)="

PICTURES = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".heic", ".svg", ".avif", ".psd")
VIDEOS = (".mp4", ".mov", ".webm", ".mkv", ".avi", ".m4v", ".mpg", ".mpeg", ".wmv")
OTHERS = (".html", ".htm", ".pdf", ".doc", ".docx", ".ppt", ".pptx", ".zip", ".mp3", ".wav", ".php")
#: Endings of files that an input can't be.
WRONG_ENDINGS = {"image_input": (*OTHERS, *VIDEOS), "video_input": (*OTHERS, *PICTURES)}
