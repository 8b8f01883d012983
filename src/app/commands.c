/* SPDX-License-Identifier: Apache-2.0 */

/* The commands. What is said of them here is also the manual. */

#include "app/audit_command.h"
#include "app/backup/backup_command.h"
#include "app/backup/check_command.h"
#include "app/cli.h"
#include "app/config_command.h"
#include "app/cutout.h"
#include "app/cutout_options.h"
#include "app/jobs_command.h"
#include "app/keys_command.h"
#include "app/login/login_command.h"
#include "app/migrate_command.h"
#include "app/models_command.h"
#include "app/rebuild_command.h"
#include "app/receipts_command.h"
#include "app/serve.h"
#include "app/sync_dir/command.h"
#include "app/users_command.h"

static const char *const shells[] = {"bash", "zsh", "fish", NULL};

static const char cutout_details[] =
    "Each IN is a file, a folder, a pattern such as '*.jpg', or - for standard input. JPEG, PNG, "
    "WebP, GIF (its first frame), TIFF, BMP, HEIC and AVIF are read. Of a folder, the pictures in "
    "it are taken, and with --recursive those in its folders.\n"
    "\n"
    "With one IN, OUT is a file; with more, or with a folder or a pattern, OUT is a folder that "
    "is made when it is not there, and each result has its input's name and the format's "
    "extension. Without -o, a result is NAME-cutout.EXT beside its input, and standard input goes "
    "to standard output. The results of earlier runs are no inputs: folders are read without "
    "files of such names, or without the folder OUT. Nothing that exists is overwritten without "
    "--force, and an input never.\n"
    "\n"
    "A picture that cannot be done does not keep the others from being done. With --json each "
    "input gives a line with input, output, status, width, height and timings_ms.\n"
    "\n"
    "  imagesync cutout photo.jpg -o out.png\n"
    "  imagesync cutout photos/ -o shop/ --bg-color white --crop-margin 10% --format jpg\n"
    "  curl -s URL | imagesync cutout - | imagesync cutout - --blur -o out.webp\n";

static const char serve_details[] =
    "Serves a page at /, the API of remove.bg at /v1.0/removebg and Photoroom's at /v1/segment "
    "(see /openapi.yaml), /healthz, /readyz and /metrics. The server is a process of its own "
    "that is started again when it dies. SIGTERM or Ctrl-C lets requests under way end; a second "
    "one ends at once.\n";

static const char add_details[] =
    "FILE.onnx is any network that rembg can use: one picture in, a matte among the outputs. How "
    "it wants its picture comes from a manifest, from the name of a family (--like), or from the "
    "single options, which override both. The model is tried on a picture before it is "
    "installed.\n"
    "\n"
    "  imagesync models add u2net.onnx --like u2net\n"
    "  imagesync models add mine.onnx --width 512 --height 512 --mean 127.5 --scale 127.5\n";

static const char migrate_details[] =
    "Each migration is applied once, in order and as a whole, and noted in the database with its "
    "checksum. Several may be started at the same time. The server does this by itself for SQLite; "
    "see --migrate-on-start.\n";

static const char migrate_status_details[] =
    "Nothing is changed. The exit status is 1 when a migration is pending.\n";

static const char keys_rotate_details[] =
    "Adds a master key to the file and wraps with it the keys of all users and of the service. "
    "Servers go on meanwhile and read the file again by themselves, or on SIGHUP. Ended midway it "
    "goes on when it is started again, and then adds no key until the rotation before is "
    "complete. With --master-key-command add the key there first: here only is wrapped anew. The "
    "old key stays until 'imagesync keys retire' takes it out; backups made before need it.\n";

static const char keys_rotate_signing_details[] =
    "Makes a new key of each kind that tokens are signed with. Servers that run publish them "
    "within "
    "a minute (at once on SIGHUP), and sign with them seven minutes from now, when whoever keeps a "
    "copy of the keys has had to fetch them again. The old ones verify what they have signed for "
    "two days more. Without this, keys follow each other every --signing-key-days.\n";

static const char keys_retire_details[] =
    "Takes the key out of the master key file. Refused (exit status 1) while anything is wrapped "
    "by it, and for the newest.\n";

static const char audit_verify_details[] =
    "Each user has an audit trail, a chain of rows in the database of which each covers the one "
    "before it. This walks all of them and says which row is the first wrong one: a row that was "
    "changed, taken out, put in between or moved. Rows that were cut off at the end show only "
    "against a copy of where the trails ended: keep FILE of --heads where whoever administers the "
    "database cannot change it. The server may run meanwhile.\n"
    "\n"
    "The exit status is 0 when all rows hold and 1 when something is wrong; then FILE is left as "
    "it is. With --user FILE is compared with and not written. 3: the database or the master key "
    "cannot be opened.\n"
    "\n"
    "  imagesync audit verify --heads /mnt/elsewhere/heads\n";
static const char users_details[] =
    "Works on the database and with the master key of a server that may be running. It is noted in "
    "the audit trail of the account. A running server follows at once, but for sessions that it "
    "has in its cache: these may last for a minute more, and API keys for ten seconds.\n";

static const char users_erase_details[] =
    "Asks for the erasure of an account, as its owner may do on the account page: everybody is "
    "signed out at once, API keys stop working, and after --erasure-grace-days a server deletes "
    "all "
    "rows and the key. Signing in before calls it off, unless the account is locked. The owner is "
    "told by mail, and gets a signed receipt when it is done. The last admin cannot be erased.\n";

static const char jobs_details[] =
    "A job (looking into a new photo, for example) that failed for good lies in the dead letter of "
    "the queue until somebody puts it back or drops it: with its id, its kind, whose it is, how "
    "often it was tried, why it failed and when ('-': what did it died each time). Put back, it is "
    "done as if it was new, as soon as a server gets to it. Dropped, it is not done: a photo stays "
    "as it is. A server may run meanwhile. The first 1000 are listed and found. In /metrics "
    "imagesync_queue_jobs{state=\"dead\"} counts them.\n"
    "\n"
    "The exit status is 1 when an ID is none of theirs, 3 when the queue does not answer.\n";

static const char receipts_verify_details[] =
    "FILE (- for standard input) holds the receipt that somebody got by mail when their account "
    "was "
    "erased: the block at its end, from eyJ on. It is checked against the keys that this server "
    "has ever "
    "signed receipts with. Prints whose account it was, when it was erased, and how many rows. The "
    "exit status is 1 when it is no receipt of this server.\n";

static const char backup_details[] =
    "Copies the database (SQLite; PostgreSQL has pg_dump) and all files that it knows into DIR, "
    "while the server runs. Files never change, so the next time only new ones are copied; each is "
    "listed with its SHA-256. What is in DIR is encrypted. The keys of users go to --keys FILE, "
    "wrapped by the master key: keep it elsewhere and only the newest, so that who is erased is "
    "erased from backups too. The master key is not copied. The exit status is 1 when a file was "
    "missing.\n"
    "\n"
    "  imagesync backup /mnt/backup --keys /mnt/elsewhere/keys\n";

static const char restore_details[] =
    "Brings a backup back into an empty place: the database and the store of files that the "
    "settings name. Every file is checked against its SHA-256; the exit status is 1 when some are "
    "missing or damaged, which keeps the others from nothing. Ended midway it is started again. A "
    "database of PostgreSQL is restored with psql before.\n"
    "\n"
    "  imagesync restore /mnt/backup --keys /mnt/elsewhere/keys --data /srv/imagesync\n";

static const char check_details[] =
    "Looks whether each library's log has no gap and opens, whether its objects and the tables "
    "that find them are what the log comes to, whether its files are counted rightly, whether "
    "each file that the database knows is in the store with the right length (with --deep: opens "
    "it), and whether the store has files that nobody knows. A server may run meanwhile. Nothing "
    "is changed. The exit status is 1 when something is wrong.\n";

static const char rebuild_details[] =
    "What a library holds, and the tables that find it, come of its log. This makes them again "
    "from the log, object by object: what is as the log says stays, all else is written anew or "
    "goes. It also counts the library's files again. A server that runs meanwhile answers, and "
    "is written to. Nothing is done to files. An object that does not open is named, and keeps "
    "no other from being made; the exit status is 1 then. Ended midway, what was come to is "
    "right, the rest as it was: run it again, or with --all go on with --after.\n"
    "\n"
    "  imagesync rebuild --user ada@example.com\n";

static const char login_details[] =
    "Prints a code and the address of a page. Open the page in a browser on any device, sign in "
    "there and type the code; this command then goes on by itself. What it is given is kept in "
    "$XDG_CONFIG_HOME/imagesync/credentials.json (else below ~/.config), for you alone, and "
    "renewed when it is used. The exit status is 1 when it was denied or nobody typed the code in "
    "time, and 3 when the server cannot be reached or is none of ours.\n"
    "\n"
    "  imagesync login --server https://photos.example.com\n";

static const char logout_details[] =
    "The server takes back the access that 'imagesync login' was given. When it cannot be reached "
    "the access is forgotten here nonetheless, and the exit status is 1.\n";

static const char sync_details[] =
    "Keeps DIR and the library of whoever is signed in ('imagesync login') alike, until it is "
    "ended: files that are put into DIR or a folder in it go to the library, photos that other "
    "devices add come into DIR. What is known of DIR lies in DIR/.imagesync.\n"
    "\n"
    "Nothing is deleted in the library because a file is gone here (but see --delete-to-trash): "
    "it is then not downloaded again. A photo that is deleted in the library takes its file into "
    "DIR/.imagesync/trash; a file that was changed here meanwhile stays, and is a new photo. "
    "Hidden files, unfinished ones (.part, .crdownload, .tmp, ~), files that somebody still writes "
    "to and symbolic links are left alone. No file is overwritten: a second one becomes "
    "'name (2).jpg'. Whenever it is ended, even by a power cut, it goes on where it was.\n"
    "\n"
    "The exit status is 1 when something could not be done, also with --once when the server "
    "cannot be reached, and 3 when DIR is not what was synced there before (a disk that is not "
    "mounted), is another account's, or in use by another sync.\n"
    "\n"
    "  imagesync sync ~/Pictures\n"
    "  IMAGESYNC_TOKEN=... imagesync sync /srv/photos --once --server https://photos.example.com\n";

static const char sync_status_details[] =
    "How many files are in sync, wait, or are not sent and why, as of the last sync. Asks no "
    "server.\n";

const CliCommand cli_commands[] = {
    {.name = "cutout",
     .arguments = "IN... [-o OUT]",
     .summary = "Cut the background out of pictures",
     .details = cutout_details,
     .options = cutout_options,
     .options_size = sizeof(CutoutOptions),
     .options_init = &cutout_options_init,
     .settings = SETTINGS_GENERAL | SETTINGS_RENDERING,
     .arguments_min = 1,
     .arguments_max = SIZE_MAX,
     .run = cutout_command},
    {.name = "serve",
     .arguments = "",
     .summary = "Serve the page and the API",
     .details = serve_details,
     .settings = SETTINGS_ALL,
     .run = serve_command},
    {.name = "login",
     .arguments = "",
     .summary = "Sign in to a server, by a code that you type in a browser",
     .details = login_details,
     .options = login_options,
     .options_size = sizeof(LoginOptions),
     .run = login_command},
    {.name = "logout",
     .arguments = "",
     .summary = "Sign out of a server",
     .details = logout_details,
     .options = session_options,
     .options_size = sizeof(LoginOptions),
     .run = logout_command},
    {.name = "whoami",
     .arguments = "",
     .summary = "Print who is signed in to a server",
     .options = session_options,
     .options_size = sizeof(LoginOptions),
     .run = whoami_command},
    {.name = "sync status",
     .arguments = "DIR",
     .summary = "Print how far a folder is in sync",
     .details = sync_status_details,
     .arguments_min = 1,
     .arguments_max = 1,
     .run = sync_dir_status_command},
    {.name = "sync",
     .arguments = "DIR",
     .summary = "Keep a folder and your library alike",
     .details = sync_details,
     .options = sync_dir_options,
     .options_size = sizeof(SyncDirOptions),
     .options_init = &sync_dir_options_init,
     .arguments_min = 1,
     .arguments_max = 1,
     .run = sync_dir_command},
    {.name = "models list",
     .arguments = "",
     .summary = "List the models that are installed",
     .options = models_list_options,
     .options_size = sizeof(ModelsListOptions),
     .settings = SETTINGS_GENERAL,
     .run = models_list_command},
    {.name = "models verify",
     .arguments = "[NAME...]",
     .summary = "Check models against their checksums and try them",
     .settings = SETTINGS_GENERAL | SETTINGS_RENDERING,
     .arguments_max = SIZE_MAX,
     .run = models_verify_command},
    {.name = "models add",
     .arguments = "FILE.onnx",
     .summary = "Install a model",
     .details = add_details,
     .options = models_add_options,
     .options_size = sizeof(ModelsAddOptions),
     .options_init = &models_add_options_init,
     .settings = SETTINGS_GENERAL | SETTINGS_RENDERING,
     .arguments_min = 1,
     .arguments_max = 1,
     .run = models_add_command},
    {.name = "models remove",
     .arguments = "NAME",
     .summary = "Remove a model",
     .settings = SETTINGS_GENERAL,
     .arguments_min = 1,
     .arguments_max = 1,
     .run = models_remove_command},
    {.name = "migrate up",
     .arguments = "",
     .summary = "Bring the database's tables up to date",
     .details = migrate_details,
     .settings = SETTINGS_GENERAL | SETTINGS_DATABASE,
     .run = migrate_up_command},
    {.name = "migrate status",
     .arguments = "",
     .summary = "List the database's migrations",
     .details = migrate_status_details,
     .options = migrate_status_options,
     .options_size = sizeof(MigrateStatusOptions),
     .settings = SETTINGS_GENERAL | SETTINGS_DATABASE,
     .run = migrate_status_command},
    {.name = "audit verify",
     .arguments = "",
     .summary = "Check that no audit trail was changed",
     .details = audit_verify_details,
     .options = audit_verify_options,
     .options_size = sizeof(AuditVerifyOptions),
     .settings = SETTINGS_GENERAL | SETTINGS_DATABASE,
     .run = audit_verify_command},
    {.name = "keys list",
     .arguments = "",
     .summary = "List the master keys and how much each wraps",
     .settings = SETTINGS_GENERAL | SETTINGS_DATABASE,
     .run = keys_list_command},
    {.name = "keys rotate",
     .arguments = "",
     .summary = "Wrap all keys with a new master key",
     .details = keys_rotate_details,
     .settings = SETTINGS_GENERAL | SETTINGS_DATABASE,
     .run = keys_rotate_command},
    {.name = "keys rotate-signing",
     .arguments = "",
     .summary = "Make the keys anew that tokens are signed with",
     .details = keys_rotate_signing_details,
     .settings = SETTINGS_GENERAL | SETTINGS_DATABASE,
     .run = keys_rotate_signing_command},
    {.name = "keys retire",
     .arguments = "ID",
     .summary = "Take out a master key that wraps nothing any more",
     .details = keys_retire_details,
     .settings = SETTINGS_GENERAL | SETTINGS_DATABASE,
     .arguments_min = 1,
     .arguments_max = 1,
     .run = keys_retire_command},
    {.name = "users grant",
     .arguments = "EMAIL|ID CREDITS",
     .summary = "Give credits to an account, or take some away",
     .details = users_details,
     .settings = SETTINGS_GENERAL | SETTINGS_DATABASE,
     .arguments_min = 2,
     .arguments_max = 2,
     .run = users_grant_command},
    {.name = "users lock",
     .arguments = "EMAIL|ID",
     .summary = "Sign somebody out and keep them out",
     .details = users_details,
     .settings = SETTINGS_GENERAL | SETTINGS_DATABASE,
     .arguments_min = 1,
     .arguments_max = 1,
     .run = users_lock_command},
    {.name = "users unlock",
     .arguments = "EMAIL|ID",
     .summary = "Let somebody in again",
     .details = users_details,
     .settings = SETTINGS_GENERAL | SETTINGS_DATABASE,
     .arguments_min = 1,
     .arguments_max = 1,
     .run = users_unlock_command},
    {.name = "users role",
     .arguments = "EMAIL|ID user|support|admin",
     .summary = "Say what somebody may do",
     .details = users_details,
     .settings = SETTINGS_GENERAL | SETTINGS_DATABASE,
     .arguments_min = 2,
     .arguments_max = 2,
     .run = users_role_command},
    {.name = "users erase",
     .arguments = "EMAIL|ID",
     .summary = "Have an account and all that belongs to it erased",
     .details = users_erase_details,
     .options = users_erase_options,
     .options_size = sizeof(UsersEraseOptions),
     .settings = SETTINGS_GENERAL | SETTINGS_DATABASE | SETTINGS_MAIL | SETTINGS_USER,
     .arguments_min = 1,
     .arguments_max = 1,
     .run = users_erase_command},
    {.name = "backup",
     .arguments = "DIR",
     .summary = "Copy the database and all files into a folder",
     .details = backup_details,
     .options = backup_options,
     .options_size = sizeof(BackupOptions),
     .settings = SETTINGS_GENERAL | SETTINGS_DATABASE | SETTINGS_STORAGE,
     .arguments_min = 1,
     .arguments_max = 1,
     .run = backup_command},
    {.name = "restore",
     .arguments = "DIR",
     .summary = "Bring a backup back",
     .details = restore_details,
     .options = restore_options,
     .options_size = sizeof(BackupOptions),
     .settings = SETTINGS_GENERAL | SETTINGS_DATABASE | SETTINGS_STORAGE,
     .arguments_min = 1,
     .arguments_max = 1,
     .run = restore_command},
    {.name = "check",
     .arguments = "",
     .summary = "Check that all that libraries hold is there",
     .details = check_details,
     .options = check_options,
     .options_size = sizeof(CheckOptions),
     .settings = SETTINGS_GENERAL | SETTINGS_DATABASE | SETTINGS_STORAGE,
     .run = check_command},
    {.name = "rebuild",
     .arguments = "",
     .summary = "Make what libraries hold again from their logs",
     .details = rebuild_details,
     .options = rebuild_options,
     .options_size = sizeof(RebuildOptions),
     .settings = SETTINGS_GENERAL | SETTINGS_DATABASE,
     .run = rebuild_command},
    {.name = "jobs dead",
     .arguments = "",
     .summary = "List the jobs that failed for good",
     .details = jobs_details,
     .options = jobs_dead_options,
     .options_size = sizeof(JobsDeadOptions),
     .settings = SETTINGS_GENERAL | SETTINGS_DATABASE | SETTINGS_STORAGE,
     .run = jobs_dead_command},
    {.name = "jobs requeue",
     .arguments = "ID...",
     .summary = "Have jobs that failed for good done again",
     .details = jobs_details,
     .options = jobs_requeue_options,
     .options_size = sizeof(JobsRequeueOptions),
     .settings = SETTINGS_GENERAL | SETTINGS_DATABASE | SETTINGS_STORAGE,
     .arguments_max = SIZE_MAX,
     .run = jobs_requeue_command},
    {.name = "jobs drop",
     .arguments = "ID...",
     .summary = "Give jobs up that failed for good",
     .details = jobs_details,
     .settings = SETTINGS_GENERAL | SETTINGS_DATABASE | SETTINGS_STORAGE,
     .arguments_min = 1,
     .arguments_max = SIZE_MAX,
     .run = jobs_drop_command},
    {.name = "receipts verify",
     .arguments = "FILE",
     .summary = "Check the receipt of an erasure",
     .details = receipts_verify_details,
     .settings = SETTINGS_GENERAL | SETTINGS_DATABASE,
     .arguments_min = 1,
     .arguments_max = 1,
     .run = receipts_verify_command},
    {.name = "config",
     .arguments = "",
     .summary = "Print all settings, their values and where these come from",
     .settings = SETTINGS_ALL,
     .run = config_command},
    {.name = "completions",
     .arguments = "bash|zsh|fish",
     .summary = "Print the completions of a shell",
     .details = "  source <(imagesync completions bash)\n",
     .arguments_min = 1,
     .arguments_max = 1,
     .choices = shells,
     .run = cli_completions_command},
    {.name = "manual",
     .arguments = "",
     .summary = "Print the manual page: imagesync manual | man -l -",
     .run = cli_manual_command},
    {.name = "version",
     .arguments = "",
     .summary = "Print the version",
     .run = cli_version_command},
    {.name = "help",
     .arguments = "[COMMAND]",
     .summary = "Print the help of a command",
     .arguments_max = 2,
     .run = cli_help_command},
    {0},
};
