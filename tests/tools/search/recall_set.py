"""Tools of a dozen servers, and requests with the tools that they need. Written for these tests.

Few of the requests are in the words of their tools, and most tools have a rival on another server.
"""

SERVERS: dict[str, tuple[str, dict[str, str]]] = {
    "Postbox": (
        "Reads and sends electronic mail.",
        {
            "sendMessage": "Delivers a message to one or more recipients, with attachments.",
            "searchMessages": "Finds messages by sender, subject, date or words in the body.",
            "moveToFolder": "Puts a message into another folder, such as the archive or the bin.",
            "createFilter": "Makes a rule that sorts incoming messages by itself.",
            "listUnread": "The messages that have not been opened yet, newest first.",
        },
    ),
    "Agenda": (
        "Appointments of a team.",
        {
            "create_event": "Puts an appointment into the calendar and invites the participants.",
            "find_free_slots": "Times at which all of the given people are available.",
            "cancel_event": "Calls an appointment off and tells everybody who was invited.",
            "list_events": "What is planned between two dates.",
            "set_reminder": "Notifies you some minutes before an appointment begins.",
        },
    ),
    "Disk": (
        "The files of this computer.",
        {
            "read_file": "Returns the content of a file as text.",
            "write_file": "Creates a file, or replaces the content of one that exists.",
            "list_directory": "Names and sizes of what a folder contains.",
            "move_file": "Renames a file or puts it elsewhere.",
            "find_duplicates": "Files with identical content, to free space.",
        },
    ),
    "Forge": (
        "Source code hosting: repositories, issues and reviews.",
        {
            "create_issue": "Reports a bug or asks for a feature in a repository.",
            "list_pull_requests": "Changes that wait for a review or were merged.",
            "merge_pull_request": "Takes a reviewed change into the main branch.",
            "search_code": "Looks for an expression in the sources of all repositories.",
            "get_commit": "One change with its author, message and diff.",
            "trigger_workflow": "Starts a continuous integration pipeline on a branch.",
        },
    ),
    "Till": (
        "Payments, invoices and subscriptions of customers.",
        {
            "create_invoice": "Bills a customer for goods or services.",
            "refund_payment": "Gives a customer the money of a payment back, in whole or in part.",
            "list_subscriptions": "Customers that pay each month, with their plan and renewal date.",
            "cancel_subscription": "Ends what a customer pays for regularly.",
            "get_balance": "How much money is on the account, and how much is on its way.",
        },
    ),
    "Atlas": (
        "Places, distances and ways.",
        {
            "geocode": "Latitude and longitude of a postal address.",
            "route": "Turn-by-turn directions between two points by car, bicycle or on foot.",
            "places_nearby": "Restaurants, shops, pharmacies and other points of interest around a position.",
            "elevation": "Height above sea level at a point.",
            "traffic": "Jams, road works and closures on a stretch of road.",
        },
    ),
    "Skies": (
        "Meteorology.",
        {
            "get_forecastByCity": "Temperature, wind and precipitation for up to ten days.",
            "get_current_conditions": "What a station measures now.",
            "get_air_quality": "Particulate matter, ozone and pollen.",
            "get_sun_times": "Sunrise, sunset and twilight on a date.",
            "severe_weather_alerts": "Official warnings of storms, floods and heat for a region.",
        },
    ),
    "Darkroom": (
        "Edits pictures.",
        {
            "resize_image": "Scales a picture to a width and height.",
            "removeBackground": "Cuts the subject of a photo out and makes the rest transparent.",
            "convert_format": "Saves a picture as PNG, JPEG, WebP or AVIF.",
            "extract_text": "Optical character recognition: reads the writing in a scan or screenshot.",
            "describe_image": "Says in a sentence what can be seen in a picture.",
        },
    ),
    "Warehouse DB": (
        "A PostgreSQL database, read only.",
        {
            "run_query": "Executes a SELECT statement and returns the rows.",
            "describe_table": "Columns, types, keys and indexes of a table.",
            "list_tables": "The tables and views of a schema.",
            "explain_query": "The plan by which a statement would be executed, with costs.",
        },
    ),
    "Harbour": (
        "A Kubernetes cluster.",
        {
            "list_pods": "Pods of a namespace with status and restarts.",
            "get_logs": "What the container of a pod has printed.",
            "scale_deployment": "Sets the number of replicas.",
            "rollback_deployment": "Returns to the revision before.",
            "get_node_metrics": "CPU and memory in use on each machine.",
        },
    ),
    "Jukebox": (
        "Music in the house.",
        {
            "play": "Starts a song, an album or a station in a room.",
            "pause": "Stops the sound in a room.",
            "create_playlist": "Collects songs under a name.",
            "identify_song": "Recognises a tune from a recording.",
            "get_lyrics": "The words of a song.",
        },
    ),
    "Hearth": (
        "Lamps, heating and locks at home.",
        {
            "set_temperature": "Sets what a thermostat shall reach.",
            "switch_light": "Turns a lamp on or off, or dims it.",
            "lock_door": "Locks or unlocks a door.",
            "camera_snapshot": "A picture of what a surveillance camera sees now.",
        },
    ),
    "Babel": (
        "Languages. 翻译和词典。",
        {
            "translate": "Renders a text in another language. 翻译文本。",
            "detect_language": "Which language a text is in. 检测语言。",
            "define_word": "Meaning, synonyms and origin of a word. 查词典。",
            "speak": "Reads a text aloud: speech synthesis. 语音合成。",
            "transcribe": "Turns a recording of speech into text. 语音转文字。",
        },
    ),
}

QUERIES: dict[str, tuple[str, ...]] = {
    # one tool, in the words of somebody who does not know it
    "Will I need an umbrella in Porto on Saturday?": ("get_forecastByCity",),
    "Write to Dana that the offer is accepted": ("sendMessage",),
    "Which mails have I not looked at?": ("listUnread",),
    "Where did Kim write about the tax return?": ("searchMessages",),
    "Newsletters should go to their own folder automatically": ("createFilter",),
    "When could Ann, Bo and Cy meet next week?": ("find_free_slots",),
    "I can't make it to the standup tomorrow, call it off": ("cancel_event",),
    "What's on my schedule for Thursday?": ("list_events",),
    "My hard drive is full of copies of the same photos": ("find_duplicates",),
    "The login button does nothing, tell the developers": ("create_issue",),
    "What code is still waiting to be reviewed?": ("list_pull_requests",),
    "Who changed this line and why? The hash is 4f2a91c": ("get_commit",),
    "Run the CI again on the release branch": ("trigger_workflow",),
    "A client wants his money back": ("refund_payment",),
    "How much cash do we have?": ("get_balance",),
    "Who is paying us monthly?": ("list_subscriptions",),
    "How do I get from the station to the museum by bike?": ("route",),
    "Is there a chemist around the corner?": ("places_nearby",),
    "Is the motorway to Lyon congested?": ("traffic",),
    "How high is the summit?": ("elevation",),
    "GPS coordinates of 10 Downing Street": ("geocode",),
    "Is it safe to jog outside with asthma today?": ("get_air_quality",),
    "When does it get dark on the 3rd of May?": ("get_sun_times",),
    "Is a hurricane coming?": ("severe_weather_alerts",),
    "Make this photo smaller": ("resize_image",),
    "I want only the person in this picture, nothing behind her": ("removeBackground",),
    "What does this scanned receipt say?": ("extract_text",),
    "Why is my SELECT so slow?": ("explain_query",),
    "Which columns does the orders table have?": ("describe_table",),
    "The web container keeps crashing, what did it print?": ("get_logs",),
    "Run five instances of the shop instead of two": ("scale_deployment",),
    "The new release is broken, go back to the last one": ("rollback_deployment",),
    "Which machines are running out of RAM?": ("get_node_metrics",),
    "What is this tune called?": ("identify_song",),
    "Put on some jazz in the kitchen": ("play",),
    "It's cold in here": ("set_temperature",),
    "Did I leave the lamp in the hall on? Make it dark": ("switch_light",),
    "Who is at the front door? Show me": ("camera_snapshot",),
    "How do you say thank you in Finnish?": ("translate",),
    "Write down what was said in this voice memo": ("transcribe",),
    # as an agent would ask, or by name
    "list pull requests": ("list_pull_requests",),
    "getForecastByCity": ("get_forecastByCity",),
    "OCR": ("extract_text",),
    "kubernetes pod status": ("list_pods",),
    "sql query": ("run_query",),
    # by a rare word
    "AVIF": ("convert_format",),
    "twilight": ("get_sun_times",),
    "SELECT * FROM orders": ("run_query",),
    "pollen and ozone": ("get_air_quality",),
    "diff of the last change": ("get_commit",),
    "replicas": ("scale_deployment",),
    "pharmacies": ("places_nearby",),
    "renewal dates": ("list_subscriptions",),
    # several tools
    "Find out when everyone is free on Monday and put a meeting into the calendar": (
        "find_free_slots",
        "create_event",
    ),
    "Bill Acme for the workshop. Then mail them that the invoice is on its way.": (
        "create_invoice",
        "sendMessage",
    ),
    "Read /srv/notes/minutes.txt and translate it into Spanish": ("read_file", "translate"),
    "Look up the weather in Oslo, then save a packing list to /home/kim/packing.md": (
        "get_forecastByCity",
        "write_file",
    ),
    "Merge the reviewed change. If the pods do not come up, return to the previous revision.": (
        "merge_pull_request",
        "rollback_deployment",
        "list_pods",
    ),
    "Remove the background of the product photo, and save it as WebP": ("removeBackground", "convert_format"),
    "Lock the house, turn off all the lights and stop the music": ("lock_door", "switch_light", "pause"),
    "I am moving to a new flat. Find me the way there by car, tell the paper that I end my subscription, and "
    "also set a reminder for handing over the keys.": ("route", "cancel_subscription", "set_reminder"),
    "First list the tables, then describe the one with the customers. Afterwards count the rows.": (
        "list_tables",
        "describe_table",
        "run_query",
    ),
    "What can be seen in this picture? Rename the file accordingly.": ("describe_image", "move_file"),
    "Check /var/log/app/errors.log and report a bug": ("read_file", "create_issue"),
    "Store the lyrics of Yesterday in /tmp/yesterday.txt": ("get_lyrics", "write_file"),
    "Detect which language the review is in; define the word Weltschmerz; read it aloud.": (
        "detect_language",
        "define_word",
        "speak",
    ),
    "Please prepare my trip to Granada. I need to know how hot it will be. Mail the hotel that we come late. "
    "Dim the lamps at home while we are away. And start a podcast in the living room.": (
        "get_forecastByCity",
        "sendMessage",
        "switch_light",
        "play",
    ),
    "Our customer Mr Lee has died. End what he pays for each month. Give back what he paid in May. "
    "Call off the appointment with him. Move his letters to the archive.": (
        "cancel_subscription",
        "refund_payment",
        "cancel_event",
        "moveToFolder",
    ),
    "Export the sales of last year to ~/exports/sales.csv": ("run_query", "write_file"),
    "Draft an essay on the fall of Rome in C:\\Users\\kim\\essay.txt": ("write_file",),
    "Who wrote the poem in /home/kim/poems/autumn.txt?": ("read_file",),
    "Generate a haiku on robots and put it at /tmp/haiku.md": ("write_file",),
    # in another script
    "把这段文字翻译成英文": ("translate",),
    "语音转文字": ("transcribe",),
}
