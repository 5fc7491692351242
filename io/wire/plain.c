/* The daemon writes results in words to clients that ask in words (`nc -U`), `oiduna ctl` the ones it was given as
 * JSON: the same result reads the same either way. */
#include "plain.h"

#include <string.h>
#include "json.h"
#include "rpc.h"

static void plain_status(FILE *out, json_object *r)
{
    const char *session = json_text(r, "session"), *waiting = json_text(r, "waiting");
    fprintf(out, "%s", json_text(r, "state"));
    if (*session)
        fprintf(out, " %s", session);
    fprintf(out, " at %.6g bpm", json_number(r, "bpm"));
    fprintf(out, ", bar %.0f, beat %.0f, step %.0f", json_number(r, "bar"), json_number(r, "beat"),
            json_number(r, "step"));
    if (*waiting)
        fprintf(out, ", waiting: %s", waiting);
}

static void plain_summary(FILE *out, json_object *r)
{
    plain_status(out, r);
    fprintf(out, "; %.0f late, %.0f dropped, %.0f slow; tick %.3f ms average, %.3f ms maximum",
            json_number(r, "late_steps"), json_number(r, "dropped_steps"), json_number(r, "slow_ticks"),
            json_number(r, "average_tick_time_ms"), json_number(r, "max_tick_time_ms"));
}

static void plain_track(FILE *out, json_object *t)
{
    json_object *muted = NULL, *soloed = NULL;
    json_object_object_get_ex(t, "muted", &muted);
    json_object_object_get_ex(t, "soloed", &soloed);
    fprintf(out, "%s: %.0f events in %.0f steps", json_text(t, "id"), json_number(t, "events"),
            json_number(t, "length"));
    if (*json_text(t, "destination"))
        fprintf(out, " to %s", json_text(t, "destination"));
    if (*json_text(t, "line"))
        fprintf(out, " on line %s", json_text(t, "line"));
    fprintf(out, "%s%s", json_object_get_boolean(muted) ? ", muted" : "",
            json_object_get_boolean(soloed) ? ", soloed" : "");
}

static void plain_destination(FILE *out, json_object *d)
{
    json_object *reachable = NULL;
    json_object_object_get_ex(d, "reachable", &reachable);
    fprintf(out, "%s (%s)", json_text(d, "name"), json_text(d, "type"));
    if (*json_text(d, "address"))
        fprintf(out, " at %s", json_text(d, "address"));
    fprintf(out, "%s", json_object_get_boolean(reachable) ? ", answers" : "");
}

static void plain_plain_item(FILE *out, json_object *item)
{
    fputs(json_object_get_string(item), out);
}

static void plain_list(FILE *out, json_object *r, const char *key, void (*write)(FILE *, json_object *),
                       const char *separator)
{
    json_object *list = NULL;
    json_object_object_get_ex(r, key, &list);
    size_t n = json_object_is_type(list, json_type_array) ? json_object_array_length(list) : 0;
    if (!n)
        fputs("none", out);
    for (size_t i = 0; i < n; i++) {
        fputs(i ? separator : "", out);
        write(out, json_object_array_get_idx(list, i));
    }
}

static void plain_config(FILE *out, json_object *r, const char *separator)
{
    json_object *values = NULL;
    const char *between = "";
    if (!json_object_object_get_ex(r, "values", &values))
        return;
    json_object_object_foreach(values, key, value)
    {
        fprintf(out, "%s%s = %s", between, key, json_object_get_string(value));
        between = separator;
    }
}

static void plain_ok(FILE *out, json_object *r, const char *separator)
{
    json_object *accepted = NULL, *warnings = NULL, *bpm = NULL, *remark = NULL;
    fputs(json_object_object_get_ex(r, "accepted", &accepted) ? "accepted" : "ok", out);
    if (json_object_object_get_ex(r, "bpm", &bpm))
        fprintf(out, ": %.6g bpm", json_object_get_double(bpm));
    if (json_object_object_get_ex(r, "remark", &remark))
        fprintf(out, "%s%s", separator, json_object_get_string(remark));
    json_object_object_get_ex(r, "warnings", &warnings);
    size_t n = json_object_is_type(warnings, json_type_array) ? json_object_array_length(warnings) : 0;
    for (size_t i = 0; i < n; i++)
        fprintf(out, "%swarning: %s", separator, json_object_get_string(json_object_array_get_idx(warnings, i)));
}

static void plain_port(FILE *out, json_object *p)
{
    bool plays = json_number(p, "plays") != 0, sends = json_number(p, "sends") != 0;
    fprintf(out, "%-7s %-5s %-5s %s:%s", json_text(p, "address"), plays ? "plays" : "", sends ? "sends" : "",
            json_text(p, "client"), json_text(p, "port"));
    if (*json_text(p, "usb"))
        fprintf(out, " (usb:%s)", json_text(p, "usb"));
}

static void plain_midi_dest(FILE *out, json_object *d)
{
    json_object *list = NULL;
    json_object_object_get_ex(d, "listeners", &list);
    fprintf(out, "destination %s is connected to ", json_text(d, "name"));
    size_t n = list ? json_object_array_length(list) : 0;
    for (size_t i = 0; i < n; i++)
        fprintf(out, "%s%s", i ? ", " : "", json_object_get_string(json_object_array_get_idx(list, i)));
    if (!n)
        fprintf(out, "no port");
}

static void plain_midi(FILE *out, json_object *result, const char *separator)
{
    json_object *sync = NULL;
    if (*json_text(result, "missing")) {
        fputs(json_text(result, "missing"), out);
        return;
    }
    plain_list(out, result, "ports", plain_port, separator);
    fputs(separator, out);
    plain_list(out, result, "destinations", plain_midi_dest, separator);
    json_object_object_get_ex(result, "sync", &sync);
    if (strcmp(json_text(sync, "source"), "off"))
        fprintf(out,
                json_number(sync, "there") != 0 ? "%sreceiving clock from %s at %.2f BPM"
                                                : "%sno clock from %s (last tempo %.2f BPM)",
                separator, json_text(sync, "source"), json_number(sync, "bpm"));
}

static void plain_recording(FILE *out, json_object *r)
{
    json_object *recording = NULL;
    const char *file = json_text(r, "file");
    json_object_object_get_ex(r, "recording", &recording);
    if (!*file) {
        fputs("no recording yet", out);
        return;
    }
    fprintf(out, "%s %s: %.1f s", json_object_get_boolean(recording) ? "recording" : "recorded", file,
            json_number(r, "seconds"));
    if (json_number(r, "lost_frames") > 0)
        fprintf(out, ", %.0f frames lost", json_number(r, "lost_frames"));
}

void plain_result(FILE *out, const char *method, json_object *result, const char *separator)
{
    if (json_object_is_type(result, json_type_string)) {
        const char *text = json_object_get_string(result);
        size_t len = strlen(text);
        fprintf(out, "%.*s", (int)(len && text[len - 1] == '\n' ? len - 1 : len), text);
    } else if (!strcmp(method, "status"))
        plain_status(out, result);
    else if (!strcmp(method, "stats"))
        plain_summary(out, result);
    else if (!strcmp(method, "ping"))
        fprintf(out, "oiduna %s", json_text(result, "version"));
    else if (!strcmp(method, "tracks"))
        plain_list(out, result, "tracks", plain_track, separator);
    else if (!strcmp(method, "scenes"))
        plain_list(out, result, "scenes", plain_plain_item, separator);
    else if (!strcmp(method, "destinations"))
        plain_list(out, result, "destinations", plain_destination, separator);
    else if (!strcmp(method, "subscribe"))
        plain_list(out, result, "subscribed", plain_plain_item, ", ");
    else if (!strcmp(method, "config"))
        plain_config(out, result, separator);
    else if (!strcmp(method, "midi/ports"))
        plain_midi(out, result, separator);
    else if (!strncmp(method, "record/", 7))
        plain_recording(out, result);
    else
        plain_ok(out, result, separator);
}

void plain_notification(FILE *out, const char *method, json_object *p)
{
    const char *session = json_text(p, "session");
    if (!strcmp(method, "learn")) { /* the line as [midi-map] wants it, but for the command */
        fprintf(out, "%s = ", json_text(p, "map"));
        return;
    }
    fprintf(out, "%s", method);
    if (!strcmp(method, "midi"))
        fprintf(out, " %-3s %s: %s", json_text(p, "direction"), json_text(p, "port"), json_text(p, "text"));
    if (!strcmp(method, "applied"))
        fprintf(out, ":%s%s at step %.0f, bar %.0f, beat %.0f", *session ? " " : "", session, json_number(p, "step"),
                json_number(p, "bar"), json_number(p, "beat"));
    else if (!strcmp(method, "superseded"))
        fprintf(out, " by a newer submission");
    else if (!strcmp(method, "position"))
        fprintf(out, ": bar %.0f, beat %.0f, step %.0f", json_number(p, "bar"), json_number(p, "beat"),
                json_number(p, "step"));
    else if (!strcmp(method, "status"))
        fputs(": ", out), plain_status(out, p);
    else if (!strcmp(method, "error"))
        fprintf(out, ": %s%s%s: %s", json_text(p, "command"), *json_text(p, "path") ? ": " : "", json_text(p, "path"),
                json_text(p, "message"));
    else if (!strcmp(method, "late"))
        fprintf(out, ": %s: step %.0f, %.3f ms behind (%s)", json_text(p, "kind"), json_number(p, "step"),
                json_number(p, "behind_ms"), json_text(p, "cause"));
}
