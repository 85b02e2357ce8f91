from django.urls import path

from notes import views

urlpatterns = [
    path("", views.home, name="home"),
    path("notes", views.notes_json, name="notes"),
]
