"""The words of the grammar, as tables: one line a word, columns split by `|`.

Nouns give a gender, adjectives an English comparative where it is not "more ..."; everything else follows
from english.py and spanish.py. `{my}` stands for the possessive that goes with the subject.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeVar

from data.terms import Adjective, Noun, Plain, Subject, Verb


def rows(table: str) -> list[list[str]]:
    lines = (line for block in table.splitlines() for line in block.split(";"))
    return [[cell.strip() for cell in line.split("|")] for line in lines if line.strip()]


def nouns(table: str) -> list[Noun]:
    return [Noun(*row) for row in rows(table)]


def adjectives(table: str) -> list[Adjective]:
    return [Adjective(*row) for row in rows(table)]


def verbs(table: str) -> list[Verb]:
    return [Verb(*row) for row in rows(table)]


def plain(table: str) -> list[Plain]:
    return [Plain(*row) for row in rows(table)]


def subjects(table: str) -> list[Subject]:
    return [Subject(en, es, int(person), gender) for en, es, person, gender in rows(table)]


class Named(Protocol):
    """Any term with an English form; every table holds such."""

    @property
    def en(self) -> str: ...


Word = TypeVar("Word", bound=Named)


def named(terms: Sequence[Word], names: str) -> list[Word]:
    """The terms with these English names, which `;` splits."""
    wanted = names.split("; ")
    return [term for term in terms if term.en in wanted]


def without(terms: Sequence[Word], names: str) -> list[Word]:
    """All terms but those with these English names."""
    unwanted = names.split("; ")
    return [term for term in terms if term.en not in unwanted]


def starting(terms: Sequence[Word], verbs: str) -> list[Word]:
    """The verb phrases that start with one of these English verbs."""
    wanted = verbs.split("; ")
    return [term for term in terms if term.en.split()[0] in wanted]


PRONOUNS = subjects("""
    I||0|m; you||1|m; he|él|2|m; she|ella|2|f; we||3|m; they|ellos|4|m
""")
SINGULAR_PEOPLE = subjects("""
    Ana|Ana|2|f; Carlos|Carlos|2|m; Marta|Marta|2|f; Pablo|Pablo|2|m; Lucía|Lucía|2|f
    Tomás|Tomás|2|m; my brother|mi hermano|2|m; my sister|mi hermana|2|f; my mother|mi madre|2|f
    my father|mi padre|2|m; my aunt|mi tía|2|f; my uncle|mi tío|2|m; my grandmother|mi abuela|2|f
    my grandfather|mi abuelo|2|m; my cousin|mi primo|2|m; my daughter|mi hija|2|f
    my son|mi hijo|2|m; my friend|mi amigo|2|m; the teacher|la profesora|2|f
    the doctor|el médico|2|m; the nurse|la enfermera|2|f; my neighbor|mi vecina|2|f
    our boss|nuestro jefe|2|m
""")
PLURAL_PEOPLE = subjects("""
    my parents|mis padres|4|m; my friends|mis amigos|4|m; the children|los niños|4|m
    my sisters|mis hermanas|4|f; the neighbors|los vecinos|4|m; the students|los estudiantes|4|m
""")
WE = PRONOUNS[4:5]
THIRD = [*PRONOUNS[2:4], *SINGULAR_PEOPLE, *PLURAL_PEOPLE]
SUBJECTS = [*PRONOUNS, *PRONOUNS, *SINGULAR_PEOPLE, *PLURAL_PEOPLE]  # pronouns twice as often

# What people do, for as long or as often as they like.
ACTIVITIES = verbs("""
    make dinner|preparar la cena; cook rice|cocinar arroz; wash the car|lavar el coche
    wash the dishes|lavar los platos; clean the kitchen|limpiar la cocina
    clean the windows|limpiar las ventanas; sweep the floor|barrer el suelo
    iron the shirts|planchar las camisas; water the plants|regar las plantas
    cut the grass|cortar el césped; paint the fence|pintar la valla
    repair the bicycle|reparar la bicicleta; read a book|leer un libro
    read the newspaper|leer el periódico; write letters|escribir cartas; write poems|escribir poemas
    study math|estudiar matemáticas; study history|estudiar historia; learn English|aprender inglés
    practice the piano|practicar el piano; play the guitar|tocar la guitarra
    play chess|jugar al ajedrez; play football|jugar al fútbol; play tennis|jugar al tenis
    play cards|jugar a las cartas; watch a movie|ver una película
    watch television|ver la televisión; watch the news|ver las noticias
    listen to music|escuchar música; listen to the radio|escuchar la radio
    sing songs|cantar canciones; dance in the living room|bailar en el salón
    draw animals|dibujar animales; take pictures|sacar fotos; swim in the lake|nadar en el lago
    swim in the pool|nadar en la piscina; run in the park|correr en el parque
    walk in the forest|caminar por el bosque; walk along the beach|caminar por la playa
    walk the dog|pasear al perro; feed the cat|dar de comer al gato; ride a horse|montar a caballo
    eat fruit|comer fruta; eat fish|comer pescado; eat vegetables|comer verduras; drink tea|beber té
    drink water|beber agua; drink coffee|beber café; eat in the garden|comer en el jardín
    buy bread|comprar pan; buy flowers|comprar flores; sell fruit|vender fruta
    pay the bills|pagar las facturas; work in the garden|trabajar en el jardín
    work at the office|trabajar en la oficina; work at home|trabajar en casa
    talk on the phone|hablar por teléfono; talk about politics|hablar de política
    speak Spanish|hablar español; help the neighbors|ayudar a los vecinos
    visit museums|visitar museos; wait for the bus|esperar el autobús; look for a job|buscar trabajo
    pick apples|recoger manzanas; bake bread|hornear pan; peel potatoes|pelar patatas
    make the bed|hacer la cama; do gymnastics|hacer gimnasia; do the homework|hacer los deberes
    do the shopping|hacer la compra; travel by train|viajar en tren
    drive to work|conducir al trabajo; use the computer|usar el ordenador
    teach music|enseñar música; count the money|contar el dinero
    take care of the baby|cuidar al bebé; rest at home|descansar en casa
    sleep on the sofa|dormir en el sofá; have breakfast in bed|desayunar en la cama
""")
# What has an hour of the day of its own, much of it reflexive.
ROUTINES = verbs("""
    get up early|levantarse temprano; get up late|levantarse tarde; go to bed early|acostarse temprano
    go to bed late|acostarse tarde; wake up early|despertarse temprano; stay at home|quedarse en casa
    have lunch at work|almorzar en el trabajo; have dinner at home|cenar en casa
    go out with friends|salir con amigos; go to the gym|ir al gimnasio; come home late|volver tarde a casa
    go to school by bus|ir a la escuela en autobús; take the subway|tomar el metro
    send an email|enviar un correo; call the doctor|llamar al médico; order a pizza|pedir una pizza
    set the table|poner la mesa; take out the trash|sacar la basura; bring flowers|traer flores
    prepare the lesson|preparar la clase; rest after lunch|descansar después de comer
""")
# What everybody does without a date.
GESTURES = verbs("""
    brush {my} teeth|cepillarse los dientes; wash {my} hands|lavarse las manos; take a shower|ducharse
    get dressed|vestirse; comb {my} hair|peinarse; sit by the window|sentarse junto a la ventana
    close the windows|cerrar las ventanas; open the door|abrir la puerta
    turn off the lights|apagar las luces; serve the coffee|servir el café
""")
ACTIONS = [*ACTIVITIES, *ROUTINES]
ERRANDS = named(
    ROUTINES,
    "send an email; call the doctor; order a pizza; set the table; take out the trash; bring flowers; "
    "prepare the lesson",
)
CHORES = starting(
    ACTIVITIES,
    "make; cook; wash; clean; sweep; iron; water; cut; paint; repair; feed; buy; pay; bake; peel; do; count; "
    "help; pick",
)
COMPLETED = [*CHORES, *ERRANDS, *GESTURES, *starting(ACTIVITIES, "read; write; watch; eat; drink; draw; sell")]
UNDATED = [*ACTIONS, *GESTURES]

FREQUENCIES = plain("""
    every day|todos los días; every morning|todas las mañanas; every afternoon|todas las tardes
    every week|todas las semanas; on Mondays|los lunes; on Saturdays|los sábados
    on Sundays|los domingos; on weekends|los fines de semana; once a week|una vez a la semana
    twice a month|dos veces al mes; in the summer|en verano; in the winter|en invierno
    on holidays|los días festivos
""")
PAST_TIMES = plain("""
    yesterday|ayer; last week|la semana pasada; last night|anoche; two days ago|hace dos días
    yesterday afternoon|ayer por la tarde; last Saturday|el sábado pasado
    last Monday|el lunes pasado; on Sunday afternoon|el domingo por la tarde
    three weeks ago|hace tres semanas; last month|el mes pasado
""")
FUTURE_TIMES = plain("""
    tomorrow|mañana; next week|la semana que viene; tomorrow morning|mañana por la mañana
    tomorrow afternoon|mañana por la tarde; next Saturday|el próximo sábado
    next month|el próximo mes; on Friday|el viernes; after work|después del trabajo
    this weekend|este fin de semana; on Thursday afternoon|el jueves por la tarde
    before lunch|antes de comer; later|más tarde
""")
# Times that say no hour of the day, for actions that have one of their own ("get up early").
FREQUENT_DAYS = [time for time in FREQUENCIES if "morning" not in time.en and "afternoon" not in time.en]
CALENDAR = [time for time in FREQUENCIES if time.en.startswith(("on ", "in "))]
PAST_DAYS = [time for time in PAST_TIMES if "night" not in time.en and "afternoon" not in time.en]
SHORT_PAST = [time for time in PAST_TIMES if "week" not in time.en and "month" not in time.en]
FUTURE_DAYS = named(
    FUTURE_TIMES,
    "tomorrow; next week; next Saturday; next month; on Friday; this weekend",
)
CLOCK = plain("""
    at seven|a las siete; at half past eight|a las ocho y media; at three|a las tres
    at noon|al mediodía; at one|a la una; at a quarter past nine|a las nueve y cuarto
    at ten|a las diez; at midnight|a medianoche; at half past five|a las cinco y media
    at a quarter to six|a las seis menos cuarto; at eleven|a las once
""")
NUMBERS = plain("""
    two|dos; three|tres; four|cuatro; five|cinco; six|seis; seven|siete; eight|ocho; ten|diez
    twelve|doce; fifteen|quince; twenty|veinte; thirty|treinta; fifty|cincuenta; ninety|noventa
""")
SMALL_NUMBERS = NUMBERS[:8]
AGES = plain("""
    eleven|once; thirteen|trece; fourteen|catorce; sixteen|dieciséis; eighteen|dieciocho
    twenty|veinte; twenty-five|veinticinco; thirty|treinta; forty|cuarenta; sixty|sesenta
    seventy|setenta; eighty|ochenta
""")
