import logging

from django.http import JsonResponse
from django.shortcuts import redirect, render

from .models import Note

GREETING = "Hello from Django"  # edit me, save, reload the page
log = logging.getLogger(__name__)


def home(request):
    text = request.POST.get("text", "").strip()[:200]
    if text:
        Note.objects.create(text=text)
        log.info("a note: %s", text)
        return redirect("home")
    notes = Note.objects.all()[:20]
    return render(request, "notes/home.html", {"greeting": GREETING, "notes": notes})


def notes_json(request):
    return JsonResponse({"notes": [note.text for note in Note.objects.all()[:20]]})
