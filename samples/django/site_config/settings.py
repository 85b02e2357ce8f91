import os
from pathlib import Path

BASE_DIR = Path(__file__).resolve().parent.parent
STAGE = os.environ.get("LEANCLOUD_APP_ENV", "development")
DEBUG = STAGE == "development"

# Set SECRET_KEY for the group in the cloud's console (here: in .env). Without it every instance
# makes its own, and sessions end with it.
SECRET_KEY = os.environ.get("SECRET_KEY") or os.urandom(32).hex()

# The health check asks by an internal name and the balancer has checked the Host already.
ALLOWED_HOSTS = ["*"]

# TLS ends at the balancer. No SECURE_SSL_REDIRECT: the health check comes without this header, and
# a redirect on / is a failure there.
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")

INSTALLED_APPS = [
    "django.contrib.contenttypes",
    "django.contrib.staticfiles",
    "notes",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
]
ROOT_URLCONF = "site_config.urls"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {"context_processors": ["django.template.context_processors.request"]},
    },
]

DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": os.environ.get("SQLITE_PATH") or str(Path.home() / "django-sample.sqlite3"),
        "OPTIONS": {"timeout": 10},
    },
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

LANGUAGE_CODE = "en"
TIME_ZONE = os.environ.get("TZ") or "Asia/Shanghai"
USE_TZ = True
STATIC_URL = "static/"

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"console": {"class": "logging.StreamHandler"}},
    "root": {"handlers": ["console"], "level": "INFO"},
}
